"""The audits of the GraphQL-over-HTTP specification, from the npm package `graphql-http`."""

from pathlib import Path

import orjson
import pytest

from tests.support.node import installed, output_of
from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDITS = Path(__file__).parent / "audits"
COUNT = 61


async def test_all_audits_pass(shop: Shop) -> None:
    directory = await installed(AUDITS, for_what="GraphQL over HTTP was not audited")
    url = str(shop.client.base_url.join("/graphql"))
    results = orjson.loads(await output_of("node", "run.mjs", url, directory=directory))
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == COUNT
