"""The ticket verifier keeps working despite bad input and files that occur at a gate: bytes that
are not text, a damaged list, and files that were cut off by a power failure.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ids import ConcertId, OrderId, TicketId, Unit, ticket_id
from tickets.codes import CodeContent, concert_digest, sign_code
from tickets.keys import TicketKeys
from tickets.revocation_lists import make_list

VERIFIER = Path(__file__).parents[2] / "deploy" / "verify" / "ticket.py"
CONCERT = ConcertId("abcdefghjkmn")
TOMORROW = datetime.now(UTC) + timedelta(days=1)
KEY = TicketKeys([bytes(range(32))]).signing_key(CONCERT)


def id_of(number: int) -> TicketId:
    return ticket_id(OrderId("0" * 32), Unit(f"{CONCERT}-2:{number}"))


def code(number: int) -> str:
    return sign_code(KEY, CodeContent(id_of(number), 1, 2, TOMORROW))


@dataclass(frozen=True, slots=True)
class Gate:
    folder: Path

    def check(self, typed: bytes, options: Sequence[str] = ()) -> tuple[int, list[str], str]:
        """Return the exit status, the answers, and what was written to standard error."""
        files = ["--keys", str(self.folder / "keys.json"), "--list", str(self.folder / "list.gz")]
        command = [sys.executable, "-P", "-s", str(VERIFIER), *files, *options]
        done = subprocess.run(
            command, input=typed, capture_output=True, check=False, env={"PYTHONIOENCODING": "utf-8:strict"}
        )
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()

    @property
    def scans(self) -> Path:
        return self.folder / "scans.jsonl"

    def check_with_scans(self, *numbers: int) -> tuple[int, list[str], str]:
        return self.check("".join(f"{code(one)}\n" for one in numbers).encode(), ["--scans", str(self.scans)])


@pytest.fixture
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    made = Gate(tmp_path_factory.mktemp("gate"))
    key = {"kid": KEY.id, "x": base64.urlsafe_b64encode(KEY.public).decode()}
    (made.folder / "keys.json").write_text(json.dumps({"digest": concert_digest(CONCERT).hex(), "keys": [key]}))
    (made.folder / "list.gz").write_bytes(make_list(KEY, [], datetime.now(UTC)))
    return made


def test_code_that_is_not_text_does_not_stop_the_next_one(gate: Gate) -> None:
    status, answers, _ = gate.check(b"\xff\xfe\x00\x80\n" + code(1).encode() + b"\n")
    assert status == 1
    assert answers == [
        "REFUSED: this is not a ticket code",
        f"OK: tier 2, ticket {id_of(1)}, generation 1",
    ]


def test_no_code_is_checked_with_any_damaged_byte_in_the_list(gate: Gate) -> None:
    path = gate.folder / "list.gz"
    content = path.read_bytes()
    # The header of gzip has ten bytes, in which some changes do not matter.
    for n in range(10, len(content), 7):
        path.write_bytes(content[:n] + bytes([content[n] ^ 0xFF]) + content[n + 1 :])
        status, answers, _ = gate.check(code(1).encode())
        assert (status, answers[0][:12]) == (2, "NOT CHECKED:")


def test_scan_that_was_cut_off_does_not_lose_other_scans(gate: Gate) -> None:
    assert gate.check_with_scans(1, 2)[0] == 0
    gate.scans.write_text(gate.scans.read_text()[:-20])
    status, answers, warning = gate.check_with_scans(1, 3)
    assert (status, answers[0][:43]) == (1, "REFUSED: this ticket was admitted here at 2")
    assert answers[1].startswith("OK:")
    assert f"Line 2 of {gate.scans} is not a scan, and was skipped" in warning
    first, _, last = gate.scans.read_text().splitlines()
    assert [json.loads(line)["code"] for line in (first, last)] == [code(1), code(3)]


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({concert_digest(CONCERT).hex(): "many"})])
def test_no_code_is_checked_if_the_stored_sequence_is_damaged(gate: Gate, content: str) -> None:
    note = gate.folder / "list.gz.seen"
    note.write_text(content)
    status, answers, _ = gate.check(code(1).encode())
    assert (status, len(answers)) == (2, 1)
    assert answers[0].startswith(f"NOT CHECKED: {note} is damaged")
    assert answers[0].endswith("make sure that the list is the newest one, and delete this file")
