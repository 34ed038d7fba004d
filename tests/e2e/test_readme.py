"""The README's first session, run as it is printed; only the port is another one."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.support.application import ROOT, Application, started

README = (ROOT / "README.md").read_text()


def shell_blocks(title: str) -> list[str]:
    section = README.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


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


async def test_the_first_session_works_as_printed(tmp_path: Path) -> None:
    fill, *session = shell_blocks("A first session")
    assert fill == "make sale URL=http://localhost:8000 BUYERS=100\n"
    async with started(Application(tmp_path / "data", DEMO="yes")) as application:
        url = f"http://localhost:{application.port}"
        await run(sys.executable, "-m", "bench.sale", "--url", url, "--buyers", "100", application=application)
        script = "set -eu\n" + "\n".join(session).replace("http://localhost:8000", url)
        concerts, held, bought, order = (await run("sh", "-c", script, application=application)).splitlines()
    assert concerts.startswith('{"data":{"concerts":{"nodes":[{"slug":"')
    assert '"state":"HELD"' in held
    assert '"status":"PAID"' in bought
    assert '"concert":{"name":"Vesna Korda: Slow Machines"},"lines":[{"quantity":2' in order
