#!/usr/bin/env python3
"""Checks that an Onsale lottery drew a number as promised. Needs only Python's standard library.

python deploy/verify/lottery.py proof.json --commitment <the value you noted before the opening>

Reads a file or standard input: a complete GraphQL response, or its `lotteryProof` or `lottery`.
Exits with 0 if every check passes, and with 1 otherwise. docs/lottery.md explains the checks.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any

HASHES = ("secret", "seed", "commitment")
MAX_REGISTRATIONS = 10_000_000

Json = Any


class ProofError(Exception):
    """Raised if a check fails. The message says which one."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def draw_order(seed: str, registrations: int) -> list[int]:
    """Return the lots in the order in which they were drawn."""
    start = bytes.fromhex(seed)

    def hashed(lot: int) -> tuple[bytes, int]:
        return hashlib.sha256(start + lot.to_bytes(8, "big")).digest(), lot

    return sorted(range(1, registrations + 1), key=hashed)


def find_proofs(node: Json) -> Iterator[dict[str, Json]]:
    """Yield every object in the response that has a secret, at any depth."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("secret") is not None:
                yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def check_form(proof: dict[str, Json]) -> None:
    missing = [name for name in (*HASHES, "registrations", "digest") if proof.get(name) is None]
    if missing:
        raise ProofError(f"it has no {' and no '.join(missing)}; query all of its fields")
    for name in HASHES:
        if not is_hex(proof[name], 64):
            raise ProofError(f"its {name} is not 64 hexadecimal digits")
    if proof["digest"] != "" and not is_hex(proof["digest"], 40):
        raise ProofError("its digest is not 40 hexadecimal digits")
    if not is_count(proof["registrations"]) or proof["registrations"] > MAX_REGISTRATIONS:
        raise ProofError(f"its number of registrations is not a number from 0 to {MAX_REGISTRATIONS}")
    if (proof["registrations"] == 0) != (proof["digest"] == ""):
        raise ProofError("its number of registrations and its digest contradict each other")


def is_hex(text: Json, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and set(text) <= set("0123456789abcdef")


def is_count(number: Json) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def check_seed(proof: dict[str, Json], noted: str | None) -> None:
    secret = bytes.fromhex(proof["secret"])
    if noted is not None and noted.strip().lower() != proof["commitment"]:
        raise ProofError(f"its commitment is {proof['commitment']}, but you noted {noted.strip()}")
    if sha256(secret) != proof["commitment"]:
        raise ProofError("the secret does not match the commitment")
    if sha256(secret + proof["digest"].encode("ascii")) != proof["seed"]:
        raise ProofError("the seed was not made from this secret and these registrations")


def check_number(proof: dict[str, Json], order: list[int]) -> None:
    lot: Json = proof.get("lot")
    number: Json = proof.get("number")
    for name, value in (("lot", lot), ("number", number)):
        if not is_count(value) or not 1 <= value <= len(order):
            raise ProofError(f"its {name} is not a number from 1 to {len(order)}")
    if order[number - 1] != lot:
        raise ProofError(f"lot {lot} drew number {order.index(lot) + 1}, not {number}")


def check_proof(proof: dict[str, Json], noted: str | None, all_of: int | None) -> None:
    """Check a proof and print what was found. Raises ProofError if a check fails."""
    check_form(proof)
    check_seed(proof, noted)
    has_number = "lot" in proof or "number" in proof
    order = draw_order(proof["seed"], proof["registrations"]) if has_number or all_of is not None else []
    if has_number:
        check_number(proof, order)
    if all_of is not None and all_of != len(order):
        raise ProofError(f"{len(order)} lots were drawn, not {all_of}")
    write("The secret matches the commitment, and the seed was made from the secret and the registrations.")
    if has_number:
        write(f"Lot {proof['lot']} of {len(order)} drew number {proof['number']}.")
    if noted is None:
        write(f"Is this the commitment that you noted before the opening? {proof['commitment']}")
    if all_of is not None:
        sys.stdout.writelines(f"{number} {lot}\n" for number, lot in enumerate(order, 1))


def write(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def read(name: str) -> Json:
    try:
        if name == "-":
            return json.load(sys.stdin)
        with open(name, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise ProofError(f"it cannot be read ({error})") from error


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the draw of an Onsale lottery.")
    parser.add_argument(
        "proof", nargs="?", default="-", help="a file with the API's response; the default is standard input"
    )
    parser.add_argument("--commitment", metavar="HEX", help="the commitment that you noted before the opening")
    parser.add_argument(
        "--all", type=int, metavar="N", help="print the whole order: N lines, each a number and its lot"
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    try:
        proofs = list(find_proofs(read(arguments.proof)))
        if not proofs:
            raise ProofError("it has no secret; query all fields of lotteryProof or lottery after the opening")
        for proof in proofs:
            check_proof(proof, arguments.commitment, arguments.all)
    except ProofError as error:
        write(f"This proof is not valid: {error}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
