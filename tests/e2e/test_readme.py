"""The shell sessions in README.md and docs/, run as printed except for the port.

`make sale` is replaced by the command that it runs.
"""

import os
import re
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.application import ROOT, Application, started
from tests.support.commands import run_command

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

README = (ROOT / "README.md").read_text()
FIRST_SESSION = (ROOT / "docs/first-session.md").read_text()
WAITING_ROOM = (ROOT / "docs/waiting-room.md").read_text()
LEFT_ON_SALE = "ask '{ concerts(first: 100, filter: {upcoming: false}) { nodes { slug status } } }'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with started(Application(tmp_path_factory.mktemp("demo") / "data", DEMO="yes")) as made:
        yield made


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


async def run(application: Application, *command: str) -> str:
    environment = {"PATH": os.environ["PATH"], "ONSALE_DATA_DIR": str(application.data_dir)}
    return await run_command(*command, cwd=ROOT, env=environment)


def shell_functions(text: str) -> list[str]:
    return [block for block in shell_blocks(text) if "ask()" in block]


async def run_in_shell(application: Application, blocks: list[str]) -> list[str]:
    """Run the blocks as one script against the application; return the printed lines."""
    script = "set -eu\n" + "\n".join(blocks).replace("http://localhost:8000", f"http://localhost:{application.port}")
    return (await run(application, "sh", "-c", script)).splitlines()


async def test_first_session_works_as_printed(application: Application) -> None:
    [sale] = shell_blocks(README.partition("## A first session\n")[2].partition("\n## ")[0])
    assert sale == "make sale URL=http://localhost:8000 BUYERS=100\n"
    url = f"http://localhost:{application.port}"
    await run(application, sys.executable, "-m", "proofs.sale", "--url", url, "--buyers", "100")
    concerts, held, bought, paid, order = await run_in_shell(application, shell_blocks(FIRST_SESSION))
    [left] = await run_in_shell(application, [*shell_functions(FIRST_SESSION), LEFT_ON_SALE])
    assert re.findall(r'"slug":"the-rush[^"]*","status":"(\w+)"', left) == ["CLOSED"]
    assert concerts.startswith('{"data":{"concerts":{"nodes":[{"slug":"')
    assert '"state":"HELD"' in held
    assert '"status":"PENDING_PAYMENT"' in bought
    assert re.findall(r'"status":"(PAID|FULFILLED)"', paid)
    assert '"concert":{"name":"Vesna Korda: Slow Machines"},"lines":[{"quantity":2' in order


async def test_waiting_room_examples_work_as_printed(application: Application) -> None:
    printed = await run_in_shell(application, [*shell_functions(FIRST_SESSION), *shell_blocks(WAITING_ROOM)])
    paused, configured, joined, called, resumed, audit, ready, bought, joined_late, event, pushed = printed
    assert '"waitingRoom":{"status":"PAUSED"}' in paused
    assert '"message":"Back in ten minutes."' in configured
    assert joined.startswith(
        '{"data":{"joinQueue":{"entry":{"state":"WAITING","number":1,"position":1}}},"extensions":'
    )
    assert '"call":{"asked":1,"called":1,"limit":null}' in called
    assert '"waitingRoom":{"status":"OPEN","servingNumber":1,"slotsTaken":1}' in resumed
    assert re.findall(r'"action":"(\w+)"', audit) == ["RESUMED", "ADMITTED_NEXT", "CONFIGURED", "PAUSED"]
    assert '"state":"READY","position":0' in ready
    assert bought.startswith('{"data":{"purchaseTickets":{"order":{"status":"PENDING_PAYMENT"}}},"extensions":')
    assert '"joinQueue":{"entry":{"state":' in joined_late
    assert event == "event: next"
    assert '"roomStatus":"OPEN","message":"Back in ten minutes."' in pushed
