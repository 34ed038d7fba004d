"""`make proof` in its short form: processes are killed while people pay, and the money adds up."""

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
async def test_short_proof_finds_no_lost_money_and_no_lost_ticket() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proofs.payments", "--buyers", "100", "--seeds", "3"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = (text.decode() for text in await process.communicate())
    assert process.returncode == 0, out + err
    assert "ok    charged - refunded - lost = owned + to be refunded - goodwill" in out
    assert not [line for line in out.splitlines() if line.startswith("FAIL")]
    assert "with kill -9" in err
