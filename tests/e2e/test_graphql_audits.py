"""The audits of the GraphQL-over-HTTP specification, as the npm package `graphql-http` runs them: all 61 are ok."""

import asyncio
import os
import shutil
from pathlib import Path

import orjson
import pytest

from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

AUDITS = Path(__file__).parent / "audits"
COUNT = 61


@pytest.fixture
def npm() -> str:
    found = shutil.which("npm")
    if found is not None:
        return found
    message = "npm is missing, so GraphQL over HTTP was not audited: install Node.js 20 or later"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


async def test_every_audit_is_ok(shop: Shop, npm: str) -> None:
    if not (AUDITS / "node_modules" / "graphql-http").exists():
        await _run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    verdicts = orjson.loads(await _run("node", "run.mjs", str(shop.client.base_url.join("/graphql"))))
    assert [verdict for verdict in verdicts if verdict["status"] != "ok"] == []
    assert len(verdicts) == COUNT


async def _run(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, cwd=AUDITS, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}"
    return output
