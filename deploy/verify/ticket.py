#!/usr/bin/env python3
"""Checks ticket codes of a concert at a gate without a network. Needs Python and `cryptography`.

python deploy/verify/ticket.py --keys keys.json --list revocations.gz [CODE ...]

Reads codes from the command line, or one per line from standard input, where a scanner types them.
Exits with 0 if every code is valid, with 1 if any is not, and with 2 if the keys or the list cannot
be used. docs/tickets.md says where to get both files, and explains the checks.
"""

import argparse
import base64
import gzip
import json
import os
import platform
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
FIELDS = struct.Struct(">B8s16sI8sHQ")
SIGNATURE_BYTES = 64
CODE_CHARACTERS = 167
WORD = "onsale-revocations-1"
MAX_AGE_S = 900
CLOCKS_DIFFER_S = 300
MAX_LIST_BYTES = 256 * 1024 * 1024

Json = Any


class Refused(Exception):
    """Raised for a code that is not valid. The message says why."""


class Unusable(Exception):
    """Raised if the keys or the list cannot be used to check codes."""


class Keys:
    """The public keys of one concert."""

    def __init__(self, path: Path) -> None:
        try:
            content = json.loads(path.read_bytes())
            self.digest = bytes.fromhex(content["digest"])
            self._keys = {
                bytes.fromhex(key["kid"]): Ed25519PublicKey.from_public_bytes(from_base64url(key["x"]))
                for key in content["keys"]
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unusable(f"{path} is not a file with ticket keys: {describe(error)}") from error

    def verify(self, key_id: bytes, signature: bytes, content: bytes) -> None:
        """Raise KeyError for an unknown key, or InvalidSignature."""
        self._keys[key_id].verify(signature, content)


class RevocationList:
    """The revoked codes of one concert, as known at one time."""

    def __init__(self, path: Path, keys: Keys) -> None:
        content = read_list(path, keys)
        try:
            if bytes.fromhex(content["concert"]) != keys.digest:
                raise Unusable(f"{path} is the list for another concert")
            self.sequence = int(content["sequence"])
            self.at = datetime.fromisoformat(content["at"]).timestamp()
            self.revoked = frozenset(content["revoked"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(f"{path} is not a revocation list: {describe(error)}") from error
        if self.sequence != len(self.revoked):
            raise Unusable(f"{path} has {len(self.revoked)} entries, but its sequence is {self.sequence}")


def read_list(path: Path, keys: Keys) -> Json:
    try:
        with gzip.open(path) as file:
            text = file.read(MAX_LIST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unusable(f"{path} cannot be read: {describe(error)}") from error
    head, _, body = text.partition(b"\n")
    try:
        word, key_id, signature = head.decode().split(" ")
        if word != WORD or len(text) > MAX_LIST_BYTES:
            raise ValueError("its first line is wrong")
        keys.verify(bytes.fromhex(key_id), from_base64url(signature), f"{WORD}\n".encode() + body)
        return json.loads(body)
    except KeyError as error:
        raise Unusable(f"{path} is signed by a key that is not among yours; load the keys again") from error
    except InvalidSignature as error:
        raise Unusable(f"{path} was altered: its signature does not match") from error
    except ValueError as error:
        raise Unusable(f"{path} is not a revocation list: {describe(error)}") from error


class Gate:
    """Checks codes, and loads the list again whenever its file is replaced."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._keys = Keys(options.keys)
        self._loaded: tuple[int, int] | None = None
        self._list: RevocationList | None = None
        self._scanned: dict[str, str] = {}
        """Maps each ticket to the time at which it was admitted here."""
        for scan in read_scans(options.scans):
            with suppress(Refused):
                ticket, _, _ = self._read_code(scan["code"])
                self._scanned[ticket] = scan["scannedAt"]

    def current_list(self) -> RevocationList:
        """Return the list. Raises Unusable if it is too old, or older than one seen before."""
        path, now = self._options.list, time.time()
        try:
            status = os.stat(path)
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {describe(error)}") from error
        if self._list is None or self._loaded != (status.st_mtime_ns, status.st_ino):
            found = RevocationList(path, self._keys)
            self._note_sequence(found)
            self._list, self._loaded = found, (status.st_mtime_ns, status.st_ino)
        age_s = now - self._list.at
        if age_s < -CLOCKS_DIFFER_S:
            raise Unusable(f"the list is from {-age_s / 60:.0f} min in the future; set the clock of this device")
        if age_s > self._options.max_age:
            oldest_s = self._options.max_age
            raise Unusable(
                f"the list is {age_s / 60:.0f} min old, but at most {oldest_s / 60:.0f} min "
                "are allowed; load a newer one"
            )
        return self._list

    def _note_sequence(self, found: RevocationList) -> None:
        """Remember the highest sequence ever seen. Raises Unusable for a lower one."""
        path = self._options.seen or self._options.list.with_name(f"{self._options.list.name}.seen")
        concert = self._keys.digest.hex()
        try:
            seen = json.loads(path.read_bytes()) if path.exists() else {}
            highest = int(seen.get(concert, 0))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise Unusable(
                f"{path} is damaged ({describe(error)}); make sure that the list is the newest one, and delete this"
                " file"
            ) from error
        if found.sequence < highest:
            raise Unusable(
                f"the list has sequence {found.sequence}, but one with {highest} was seen before; load a newer one"
            )
        if found.sequence > highest:
            written = path.with_name(f"{path.name}.new")
            try:
                written.write_text(json.dumps(seen | {concert: found.sequence}))
                written.replace(path)
            except OSError as error:
                raise Unusable(f"{path} cannot be written: {describe(error)}") from error

    def check(self, code: str) -> str:
        """Return what to show for a valid code. Raises Refused or Unusable."""
        current = self.current_list()
        ticket, generation, tier = self._read_code(code)
        if f"{ticket}:{generation}" in current.revoked:
            raise Refused("this ticket was refunded, passed on or suspended")
        if ticket in self._scanned:
            raise Refused(f"this ticket was admitted here at {self._scanned[ticket]}")
        self._record(code, ticket)
        return f"tier {tier}, ticket {ticket}, generation {generation}"

    def _read_code(self, code: str) -> tuple[str, int, int]:
        received = decode(code)
        signed, signature = received[: FIELDS.size], received[FIELDS.size :]
        version, key_id, ticket, generation, concert, tier, valid_until = FIELDS.unpack(signed)
        if version != 1:
            raise Refused("this is not a ticket code of this version")
        if concert != self._keys.digest:
            raise Refused("this ticket is for another concert")
        try:
            self._keys.verify(key_id, signature, signed)
        except KeyError:
            raise Refused("this code is signed by an unknown key; load the keys again") from None
        except InvalidSignature:
            raise Refused("this code is forged or was altered") from None
        if time.time() > valid_until:
            raise Refused("this code has expired")
        return ticket.hex(), generation, tier

    def _record(self, code: str, ticket: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._options.scans is not None:
            scan = {"code": code, "scannedAt": at, "deviceId": self._options.device, "scanId": uuid.uuid4().hex}
            try:
                with self._options.scans.open("a") as file:
                    file.write(json.dumps(scan) + "\n")
            except OSError as error:
                raise Unusable(f"{self._options.scans} cannot be written: {describe(error)}") from error
        self._scanned[ticket] = at


def read_scans(path: Path | None) -> Iterator[dict[str, str]]:
    """Yield the scans in the file. A scan that was cut off by a power failure is skipped."""
    if path is None or not path.exists():
        return
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        # The next scan begins on a new line.
        with path.open("ab") as file:
            file.write(b"\n")
    for number, line in enumerate(content.splitlines(), 1):
        try:
            scan = json.loads(line)
            yield {"code": str(scan["code"]), "scannedAt": str(scan["scannedAt"])}
        except (ValueError, KeyError, TypeError):
            write(f"Line {number} of {path} is not a scan, and was skipped", sys.stderr)


def decode(code: str) -> bytes:
    if len(code) != CODE_CHARACTERS or not set(code) <= set(ALPHABET):
        raise Refused("this is not a ticket code")
    content = bytearray()
    for start in range(0, len(code), 3):
        group = code[start : start + 3]
        value = sum(ALPHABET.index(character) * 45**place for place, character in enumerate(group))
        if value >= 256 ** (len(group) - 1):
            raise Refused("this is not a ticket code")
        content += value.to_bytes(len(group) - 1, "big")
    return bytes(content)


def from_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def check_all(gate: Gate, codes: Iterable[str]) -> int:
    """Print the answer to each code, and return the exit status."""
    exit_status = 0
    for code in codes:
        try:
            write(f"OK: {gate.check(code)}")
        except Refused as error:
            exit_status = max(exit_status, 1)
            write(f"REFUSED: {error}")
        except Unusable as error:
            # The next code is checked anyway, because the list may have been replaced by then.
            exit_status = 2
            write(f"NOT CHECKED: {error}")
    return exit_status


def write(line: str, to: TextIO | None = None) -> None:
    """Write a line to standard output, or to another stream, at once."""
    stream = to or sys.stdout
    stream.write(f"{line}\n")
    stream.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks ticket codes of a concert without a network.")
    parser.add_argument("codes", nargs="*", metavar="CODE", help="a code; default: one per line from standard input")
    parser.add_argument("--keys", type=Path, required=True, help="the concert's keys, from /.well-known/ticket-keys")
    parser.add_argument(
        "--list", type=Path, required=True, help="the revocation list, from /.well-known/ticket-revocations"
    )
    parser.add_argument(
        "--max-age", type=int, default=MAX_AGE_S, metavar="S", help="the maximum age of the list, in seconds"
    )
    parser.add_argument("--seen", type=Path, help="where to remember the highest sequence; default: LIST.seen")
    parser.add_argument("--scans", type=Path, help="a file for the scans to send to checkInTickets afterward")
    parser.add_argument("--device", default=platform.node(), help="the name of this device in the scans")
    options = parser.parse_args()
    try:
        gate = Gate(options)
        current = gate.current_list()
        age_s = max(time.time() - current.at, 0)
        write(f"List: {current.sequence} revoked codes, {age_s / 60:.0f} min old", sys.stderr)
        # A visitor may show a code with any bytes, and the next visitor must still be admitted.
        typed = (line.decode(errors="replace").rstrip("\r\n") for line in sys.stdin.buffer if line.strip())
        return check_all(gate, options.codes or typed)
    except Unusable as error:
        write(f"NOT CHECKED: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
