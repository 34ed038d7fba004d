"""`make sale` runs a small sale, with kills, from start to finish."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


async def test_sale_with_kills_sells_every_ticket_once() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proofs.sale", "--buyers", "100", "--stock", "60", "--per-minute", "500"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, out + err
    assert "60 of 60 sold, 0 oversold, to 100 people" in out
    assert "half of the tickets are sold: killing the store and one server with kill -9" in err
    assert "FAIL" not in out
    assert "ok       positions exact" in out
