"""The ticket verifier needs two files and no network, and refuses every revoked or forged code."""

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ids import ConcertId, OrderId, TicketId, Unit, ticket_id
from domain.tickets.ticket import Revocation
from tickets import base45
from tickets.codes import CODE_BYTES, CodeContent, concert_digest, sign_code
from tickets.keys import TicketKey, TicketKeys, derive_key
from tickets.revocation_lists import make_list

VERIFIER = Path(__file__).parents[2] / "deploy" / "verify" / "ticket.py"
CONCERT, OTHER = ConcertId("abcdefghjkmn"), ConcertId("nmkjhgfedcba")
KEYS = TicketKeys([bytes(range(32))])
KEY = KEYS.signing_key(CONCERT)
NOW = datetime.now(UTC)


def id_of(number: int) -> TicketId:
    return ticket_id(OrderId("0" * 32), Unit(f"{CONCERT}-2:{number}"))


def code(number: int, generation: int = 1, *, key: TicketKey = KEY, until: datetime = NOW + timedelta(days=1)) -> str:
    return sign_code(key, CodeContent(id_of(number), generation, 2, until))


def revoked(*numbers: int) -> list[Revocation]:
    return [Revocation(id_of(number), 1, NOW) for number in numbers]


@dataclass(frozen=True, slots=True)
class Gate:
    """A device at a gate, with the files that it has loaded."""

    folder: Path

    def load_keys(self, *keys: TicketKey) -> None:
        shown = [
            {"kty": "OKP", "crv": "Ed25519", "kid": key.id, "x": base64.urlsafe_b64encode(key.public).decode()}
            for key in keys
        ]
        content = {"digest": concert_digest(CONCERT).hex(), "keys": shown}
        (self.folder / "keys.json").write_text(json.dumps(content))

    def load_list(self, *numbers: int, key: TicketKey = KEY, age: timedelta = timedelta()) -> None:
        (self.folder / "list.gz").write_bytes(make_list(key, revoked(*numbers), datetime.now(UTC) - age))

    def check(self, *codes: str, options: Sequence[str] = ()) -> tuple[int, list[str]]:
        """Type the codes like a scanner. Return the exit status and the answers.

        The option -I ignores the current folder and the environment, and with them our packages.
        """
        files = ["--keys", str(self.folder / "keys.json"), "--list", str(self.folder / "list.gz")]
        command = [sys.executable, "-I", str(VERIFIER), *files, *options]
        done = subprocess.run(
            command, input="".join(f"{one}\n" for one in codes), capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout.splitlines()

    def answer(self, text: str) -> str:
        _, (answer,) = self.check(text)
        return answer


@pytest.fixture
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    made = Gate(tmp_path_factory.mktemp("gate"))
    made.load_keys(KEY)
    made.load_list(7)
    return made


def test_valid_codes_are_accepted(gate: Gate) -> None:
    assert gate.check(code(1), code(2)) == (
        0,
        [f"OK: tier 2, ticket {id_of(number)}, generation 1" for number in (1, 2)],
    )


def test_revoked_code_is_refused_and_its_next_generation_is_not(gate: Gate) -> None:
    status, answers = gate.check(code(7), code(7, 2))
    assert status == 1
    assert answers[0] == "REFUSED: this ticket was refunded, passed on or suspended"
    assert answers[1] == f"OK: tier 2, ticket {id_of(7)}, generation 2"


def test_bad_code_does_not_stop_a_hundred_good_ones(gate: Gate) -> None:
    status, answers = gate.check("A" * 4_096, *(code(number) for number in range(100, 200)))
    assert (status, answers[0]) == (1, "REFUSED: this is not a ticket code")
    assert [answer[:3] for answer in answers[1:]] == ["OK:"] * 100


def test_each_flipped_byte_is_refused(gate: Gate) -> None:
    raw = base45.decode(code(1))
    flipped = [base45.encode(raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]) for n in range(CODE_BYTES)]
    status, answers = gate.check(*flipped)
    assert (status, len(answers)) == (1, CODE_BYTES)
    assert {answer[:8] for answer in answers} == {"REFUSED:"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("HELLO", "this is not a ticket code"),
        (code(1)[:-1], "this is not a ticket code"),
        (code(1) + "0", "this is not a ticket code"),
        (":" * 167, "this is not a ticket code"),
        (code(1).lower(), "this is not a ticket code"),
        (code(1, key=KEYS.signing_key(OTHER)), "this ticket is for another concert"),
        (
            code(1, key=derive_key(bytes(reversed(range(32))), CONCERT)),
            "this code is signed by an unknown key; load the keys again",
        ),
        (code(1, until=NOW - timedelta(seconds=1)), "this code has expired"),
    ],
)
def test_bad_code_is_refused_with_its_reason(gate: Gate, text: str, why: str) -> None:
    assert gate.answer(text) == f"REFUSED: {why}"


def test_second_scan_at_the_same_gate_is_refused(gate: Gate) -> None:
    status, (first, second) = gate.check(code(1), code(1))
    assert (status, first[:3]) == (1, "OK:")
    assert second.startswith("REFUSED: this ticket was admitted here at 20")


def test_scans_are_kept_for_the_upload(gate: Gate) -> None:
    file = gate.folder / "scans.jsonl"
    options = ["--scans", str(file), "--device", "north"]
    assert gate.check(code(1), "HELLO", code(2), options=options)[0] == 1
    scans = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(scan["code"], scan["deviceId"]) for scan in scans] == [(code(1), "north"), (code(2), "north")]
    assert len({scan["scanId"] for scan in scans}) == 2
    assert gate.check(code(1), options=options)[1][0].startswith("REFUSED: this ticket was admitted here at 20")


def test_no_code_is_checked_with_a_list_older_than_the_limit(gate: Gate) -> None:
    gate.load_list(7, age=timedelta(minutes=16))
    assert gate.check(code(1)) == (
        2,
        ["NOT CHECKED: the list is 16 min old, but at most 15 min are allowed; load a newer one"],
    )
    assert gate.check(code(1), options=["--max-age", "1200"])[0] == 0


def test_verifier_says_how_old_its_list_is(gate: Gate) -> None:
    gate.load_list(7, 8, age=timedelta(minutes=12))
    command = [sys.executable, str(VERIFIER), "--keys", str(gate.folder / "keys.json")]
    command += ["--list", str(gate.folder / "list.gz"), code(1)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == "List: 2 revoked codes, 12 min old\n"


def test_no_code_is_checked_with_a_list_from_the_future(gate: Gate) -> None:
    gate.load_list(7, age=timedelta(hours=-1))
    status, (answer,) = gate.check(code(1))
    assert (status, answer) == (2, "NOT CHECKED: the list is from 60 min in the future; set the clock of this device")


def test_no_code_is_checked_with_a_list_of_a_lower_sequence(gate: Gate) -> None:
    gate.load_list(7, 8)
    assert gate.check(code(8))[0] == 1
    gate.load_list(7)
    assert gate.check(code(8)) == (
        2,
        ["NOT CHECKED: the list has sequence 1, but one with 2 was seen before; load a newer one"],
    )


def test_no_code_is_checked_with_an_altered_list(gate: Gate) -> None:
    path = gate.folder / "list.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b'"sequence":1', b'"sequence":2')))
    assert gate.check(code(1)) == (2, [f"NOT CHECKED: {path} was altered: its signature does not match"])


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"", mtime=0), gzip.compress(b"a b c\n{}", mtime=0)]
)
def test_no_code_is_checked_with_a_file_that_is_not_a_list(gate: Gate, content: bytes) -> None:
    (gate.folder / "list.gz").write_bytes(content)
    status, (answer,) = gate.check(code(1))
    assert (status, answer[:12]) == (2, "NOT CHECKED:")


def test_no_code_is_checked_with_the_list_for_another_concert(gate: Gate) -> None:
    other = KEYS.signing_key(OTHER)
    gate.load_keys(KEY, other)
    gate.load_list(7, key=other)
    assert gate.check(code(1))[1] == [f"NOT CHECKED: {gate.folder / 'list.gz'} is the list for another concert"]


def test_no_code_is_checked_with_a_list_signed_by_an_unknown_key(gate: Gate) -> None:
    gate.load_list(7, key=derive_key(bytes(reversed(range(32))), CONCERT))
    status, (answer,) = gate.check(code(1))
    assert (status, answer.endswith("is signed by a key that is not among yours; load the keys again")) == (2, True)


def test_missing_files_are_named(gate: Gate) -> None:
    (gate.folder / "list.gz").unlink()
    assert "list.gz cannot be read" in gate.check(code(1))[1][0]
    (gate.folder / "keys.json").write_text("{}")
    assert "keys.json is not a file with ticket keys" in gate.check(code(1))[1][0]
