"""Without a token, a public page shows null for the viewer; an invalid token gets a 401."""

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


async def test_signed_out_viewer_gets_a_public_page_without_errors(shop: Shop) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    shown = await shop.ask(PUBLIC_PAGE, id=concert.id)
    assert "errors" not in shown
    assert shown["data"] == {"me": None, "queueEntry": None, "concert": {"name": "Night of the Proms"}}


async def test_signed_in_viewer_is_shown_on_a_public_page(shop: Shop) -> None:
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
