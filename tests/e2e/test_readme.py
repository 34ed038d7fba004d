"""The sessions of README.md, docs/first-session.md and docs/waiting-room.md, run as printed but for the port."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.support.application import ROOT, Application, started

README = (ROOT / "README.md").read_text()
FIRST_SESSION = (ROOT / "docs/first-session.md").read_text()
WAITING_ROOM = (ROOT / "docs/waiting-room.md").read_text()


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def load_blocks() -> list[str]:
    return shell_blocks(README.partition("## A first session\n")[2].partition("\n## ")[0])


LEFT_ON_SALE = "ask '{ concerts(first: 100) { nodes { slug status } } }'"


def tools_of(text: str) -> list[str]:
    return [block for block in shell_blocks(text) if "ask()" in block]


async def run(*command: str, application: Application) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ONSALE_DATA_DIR": str(application.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, out + err
    return out


async def said(blocks: list[str], application: Application) -> list[str]:
    """What a shell prints, by lines."""
    script = "set -eu\n" + "\n".join(blocks).replace("http://localhost:8000", f"http://localhost:{application.port}")
    return (await run("sh", "-c", script, application=application)).splitlines()


async def test_the_first_session_works_as_printed(tmp_path: Path) -> None:
    (fill,) = load_blocks()
    assert fill == "make sale URL=http://localhost:8000 BUYERS=100\n"
    async with started(Application(tmp_path / "data", DEMO="yes")) as application:
        url = f"http://localhost:{application.port}"
        await run(sys.executable, "-m", "bench.sale", "--url", url, "--buyers", "100", application=application)
        concerts, held, bought, order = await said(shell_blocks(FIRST_SESSION), application)
        (left,) = await said([*tools_of(FIRST_SESSION), LEFT_ON_SALE], application)
    assert re.findall(r'"slug":"the-rush[^"]*","status":"(\w+)"', left) == ["CLOSED"]
    assert concerts.startswith('{"data":{"concerts":{"nodes":[{"slug":"')
    assert '"state":"HELD"' in held
    assert '"status":"PAID"' in bought
    assert '"concert":{"name":"Vesna Korda: Slow Machines"},"lines":[{"quantity":2' in order


async def test_the_examples_of_a_waiting_room_work_as_printed(tmp_path: Path) -> None:
    async with started(Application(tmp_path / "data", DEMO="yes")) as application:
        said_there = await said([*tools_of(FIRST_SESSION), *shell_blocks(WAITING_ROOM)], application)
    paused, configured, joined, called, resumed, watched, ready, bought, joined_late, event, pushed = said_there
    assert '"waitingRoom":{"status":"PAUSED"}' in paused
    assert '"message":"Back in ten minutes."' in configured
    assert joined == '{"data":{"joinQueue":{"entry":{"state":"WAITING","number":1,"position":1}}}}'
    assert '"call":{"asked":1,"called":1,"limit":null}' in called
    assert '"waitingRoom":{"status":"OPEN","servingNumber":1,"slotsTaken":1}' in resumed
    assert re.findall(r'"action":"(\w+)"', watched) == ["RESUMED", "ADMITTED_NEXT", "CONFIGURED", "PAUSED"]
    assert '"state":"READY","position":0' in ready
    assert bought == '{"data":{"purchaseTickets":{"order":{"status":"PAID"}}}}'
    assert '"joinQueue":{"entry":{"state":' in joined_late
    assert event == "event: next"
    assert '"roomStatus":"OPEN","message":"Back in ten minutes."' in pushed
