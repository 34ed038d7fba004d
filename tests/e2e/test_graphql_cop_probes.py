"""The probes of graphql-cop, a scanner for GraphQL servers; none of them finds anything."""

import pytest

from tests.support.shop import Answer, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

CIRCULAR = """
query { __schema { types { fields { type { fields { type { fields { type { fields { type {
  name } } } } } } } } } } }
"""


async def post(shop: Shop, body: object, **headers: str) -> tuple[int, Answer]:
    answer = await shop.client.post("/graphql", json=body, headers=headers)
    return answer.status_code, answer.json()


def code(answer: Answer) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("query { " + " ".join(f"alias{n}: __typename" for n in range(101)) + " }", id="alias overloading"),
        pytest.param("query { __typename " + "@aa" * 500 + " }", id="directive overloading"),
        pytest.param("query { " + "__typename " * 500 + "}", id="field duplication"),
    ],
)
async def test_overloading_is_refused_before_execution(shop: Shop, document: str) -> None:
    status, answer = await post(shop, {"query": document})
    assert (status, code(answer), "data" in answer) == (200, "QUERY_TOO_COMPLEX", False)


async def test_circular_introspection_is_refused(shop: Shop) -> None:
    status, answer = await post(shop, {"query": CIRCULAR})
    assert (status, answer["errors"][0]["message"]) == (200, "Maximum introspection depth exceeded")


async def test_batches_are_refused(shop: Shop) -> None:
    status, answer = await post(shop, [{"query": "query { __typename }"}] * 10)
    assert (status, code(answer)) == (400, "BAD_USER_INPUT")


async def test_mutations_are_refused_over_get(shop: Shop) -> None:
    answer = await shop.client.get("/graphql", params={"query": "mutation { __typename }"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_forms_are_refused(shop: Shop) -> None:
    """A page from any origin could send a form without a preflight request."""
    answer = await shop.client.post("/graphql", data={"query": "query { __typename }"})
    assert answer.status_code == 415


async def test_answers_contain_no_tracing_data(shop: Shop) -> None:
    status, answer = await post(shop, {"query": "query { __typename }"}, **{"X-Apollo-Tracing": "1"})
    assert (status, answer["data"]) == (200, {"__typename": "Query"})
    assert answer.keys() == {"data", "extensions"}
    assert answer["extensions"].keys() == {"cost"}


@pytest.mark.parametrize("document", ["query { stack_trace }", "qwerty cop_query_unhandled_errors { }"])
async def test_errors_reveal_no_details_about_the_server(shop: Shop, document: str) -> None:
    status, answer = await post(shop, {"query": document})
    assert (status, code(answer)) == (200, "BAD_USER_INPUT")
    assert set(answer["errors"][0]["extensions"]) == {"code", "requestId"}
    assert "Traceback" not in str(answer)
