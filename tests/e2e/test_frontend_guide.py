"""The TypeScript example of docs/frontend.md compiles strictly and buys tickets."""

import asyncio
import re
import uuid
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.support.application import ROOT, Application, started
from tests.support.node import installed, output_of
from tests.support.shop import CREATE, PUBLISH, concert_input

pytestmark = pytest.mark.timeout(600)

CLIENTS = Path(__file__).parent / "clients"
GUIDE = (ROOT / "docs/frontend.md").read_text()
TIMEOUT_S = 60.0


async def sign_in(client: httpx2.AsyncClient, name: str) -> str:
    form = {"grant_type": "password", "client_id": "onsale-web", "username": name, "password": name}
    return str((await client.post("/realms/onsale/protocol/openid-connect/token", data=form)).json()["access_token"])


async def put_on_sale(client: httpx2.AsyncClient, token: str, **changes: object) -> str:
    """Publish a concert with these changes, and return its slug."""
    slug = f"guide-{uuid.uuid4().hex[:12]}"

    async def run(document: str, input_: dict[str, Any]) -> Any:
        body = {"query": document, "variables": {"input": input_}}
        answer = await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})
        [result] = answer.json()["data"].values()
        return result.get("concert")

    concert = await run(CREATE, concert_input(slug=slug, **changes))
    await run(PUBLISH, {"concertId": concert["id"]})
    return slug


def write_example(folder: Path) -> Path:
    """Write the example where Node.js finds its packages."""
    [example] = [block for block in re.findall(r"```ts\n(.*?)```", GUIDE, re.DOTALL) if "class Shop" in block]
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "shop.ts"
    source.write_text(example)
    return source


async def test_example_buys_with_and_without_a_queue(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    directory = await installed(CLIENTS, for_what="the example of docs/frontend.md was not run")
    source = await asyncio.to_thread(write_example, directory / "build" / "guide")
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    application = Application(tmp_path / "onsale", **stores)
    async with started(application), httpx2.AsyncClient(base_url=application.url, timeout=TIMEOUT_S) as client:
        olivia, alice = await sign_in(client, "olivia"), await sign_in(client, "alice")
        open_sale = await put_on_sale(client, olivia)
        queued_sale = await put_on_sale(client, olivia, waitingRoom={"suspended": False})
        arguments = (str(source), application.url, alice, open_sale, queued_sale)
        printed = await output_of("node", "frontend-guide.mjs", *arguments, directory=directory)
    orders = [orjson.loads(line) for line in printed.splitlines()]
    assert [order["status"] for order in orders] == ["FULFILLED", "FULFILLED"]
    assert len({order["number"] for order in orders}) == 2
