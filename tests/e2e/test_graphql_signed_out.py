"""A public page without a token gets null for the viewer; an invalid token gets a 401."""

import time

import pytest

from tests.support.shop import Answer, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC_PAGE = """
query ($id: ID!) {
  me { name holds { id } queueEntries { id } orders { nodes { id } } }
  queueEntry(concertId: $id) { state position }
  concert(id: $id) { name }
}
"""


async def test_public_page_has_no_errors_when_signed_out(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    shown = await shop.ask(PUBLIC_PAGE, id=concert.id)
    assert "errors" not in shown
    assert shown["data"] == {"me": None, "queueEntry": None, "concert": {"name": "Night of the Proms"}}


async def test_public_page_shows_the_viewer_when_signed_in(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    shown = await shop.fields(PUBLIC_PAGE, by="sigrid", id=concert.id)
    assert (shown["me"]["name"], shown["queueEntry"]) == ("sigrid", None)


@pytest.mark.parametrize("claims", [{"exp": int(time.time()) - 60}, {"aud": "other"}], ids=["expired", "bad"])
@pytest.mark.parametrize("field", ["me { name }", 'queueEntry(concertId: "x") { state }'])
async def test_bad_token_gets_401_and_is_not_treated_as_signed_out(
    shop: Shop, field: str, claims: dict[str, object]
) -> None:
    headers = {"Authorization": f"Bearer {shop.token('alice', **claims)}"}
    answer = await shop.client.post("/graphql", json={"query": f"{{ {field} }}"}, headers=headers)
    body: Answer = answer.json()
    assert (answer.status_code, body["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")
