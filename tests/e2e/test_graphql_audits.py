"""The audits of the GraphQL-over-HTTP specification, as the npm package `graphql-http` runs them: all 61 are ok."""

from pathlib import Path

import orjson
import pytest

from tests.support.node import installed, output_of
from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDITS = Path(__file__).parent / "audits"
COUNT = 61


async def test_every_audit_is_ok(shop: Shop) -> None:
    directory = await installed(AUDITS, for_what="GraphQL over HTTP was not audited")
    url = str(shop.client.base_url.join("/graphql"))
    verdicts = orjson.loads(await output_of("node", "run.mjs", url, directory=directory))
    assert [verdict for verdict in verdicts if verdict["status"] != "ok"] == []
    assert len(verdicts) == COUNT
