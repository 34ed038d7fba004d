"""Every GraphQL document of the sale is valid against the committed SDL."""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from bench.sale import catalog, queue_client, shop

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
DOCUMENTS = {
    "look": shop.LOOK,
    "hold": shop.HOLD,
    "release": shop.RELEASE,
    "buy": shop.BUY,
    "join": queue_client.JOIN,
    "heartbeat": queue_client.HEARTBEAT,
    "claim": queue_client.CLAIM,
    "leave": queue_client.LEAVE,
    "place": queue_client.PLACE,
    "room": queue_client.ROOM,
    "position": queue_client.POSITION,
    "find": catalog.FIND,
    "create": catalog.CREATE,
    "publish": catalog.PUBLISH,
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL.read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid(schema: GraphQLSchema, name: str) -> None:
    assert validate(schema, parse(DOCUMENTS[name])) == []
