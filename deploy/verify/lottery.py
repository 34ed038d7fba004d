#!/usr/bin/env python3
"""Checks with Python's standard library that an Onsale lottery drew a number as promised.

    python deploy/verify/lottery.py proof.json --commitment <what you noted before the opening>

Reads a file or standard input: a whole GraphQL response, or the `lotteryProof` or `lottery` in it.
Exits with 0 if everything fits, and with 1 otherwise. docs/lottery.md explains what is checked.
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


class Misfit(Exception):
    """What does not fit, as a sentence."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def order_of(seed: str, registrations: int) -> list[int]:
    """The lots in the order in which they were drawn."""
    start = bytes.fromhex(seed)

    def hashed(lot: int) -> tuple[bytes, int]:
        return hashlib.sha256(start + lot.to_bytes(8, "big")).digest(), lot

    return sorted(range(1, registrations + 1), key=hashed)


def find_proofs(node: Json) -> Iterator[dict[str, Json]]:
    """Every object in the answer that says a secret, however deep."""
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
        raise Misfit(f"it has no {' and no '.join(missing)}; ask for all of its fields")
    for name in HASHES:
        if not is_hex(proof[name], 64):
            raise Misfit(f"its {name} is not 64 hexadecimal digits")
    if proof["digest"] != "" and not is_hex(proof["digest"], 40):
        raise Misfit("its digest is not 40 hexadecimal digits")
    if not is_count(proof["registrations"]) or proof["registrations"] > MAX_REGISTRATIONS:
        raise Misfit(f"its registrations are no number from 0 to {MAX_REGISTRATIONS}")
    if (proof["registrations"] == 0) != (proof["digest"] == ""):
        raise Misfit("its registrations and their digest contradict each other")


def is_hex(text: Json, length: int) -> bool:
    return isinstance(text, str) and len(text) == length and set(text) <= set("0123456789abcdef")


def is_count(number: Json) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def check_seed(proof: dict[str, Json], noted: str | None) -> None:
    secret = bytes.fromhex(proof["secret"])
    if noted is not None and noted.strip().lower() != proof["commitment"]:
        raise Misfit(f"its commitment is {proof['commitment']}, and you noted {noted.strip()}")
    if sha256(secret) != proof["commitment"]:
        raise Misfit("the secret is not the one that was committed to")
    if sha256(secret + proof["digest"].encode("ascii")) != proof["seed"]:
        raise Misfit("the seed was not made from this secret and these registrations")


def check_place(proof: dict[str, Json], order: list[int]) -> None:
    lot: Json = proof.get("lot")
    number: Json = proof.get("number")
    for name, value in (("lot", lot), ("number", number)):
        if not is_count(value) or not 1 <= value <= len(order):
            raise Misfit(f"its {name} is none of the {len(order)} that were drawn")
    if order[number - 1] != lot:
        raise Misfit(f"lot {lot} drew number {order.index(lot) + 1} and not {number}")


def tell(proof: dict[str, Json], noted: str | None, all_of: int | None) -> None:
    """Prints what fits. Raises Misfit."""
    check_form(proof)
    check_seed(proof, noted)
    has_place = "lot" in proof or "number" in proof
    order = order_of(proof["seed"], proof["registrations"]) if has_place or all_of is not None else []
    if has_place:
        check_place(proof, order)
    if all_of is not None and all_of != len(order):
        raise Misfit(f"{len(order)} were drawn, and not {all_of}")
    say("The secret is the one that was committed to, and the seed was made from it and the registrations.")
    if has_place:
        say(f"Lot {proof['lot']} of {len(order)} drew number {proof['number']}.")
    if noted is None:
        say(f"Is this the commitment that you noted before the opening? {proof['commitment']}")
    if all_of is not None:
        sys.stdout.writelines(f"{number} {lot}\n" for number, lot in enumerate(order, 1))


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def read(name: str) -> Json:
    try:
        if name == "-":
            return json.load(sys.stdin)
        with open(name, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise Misfit(f"it cannot be read ({error})") from error


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Checks a lottery of Onsale.")
    parser.add_argument("proof", nargs="?", default="-", help="a file with the API's answer; without it standard input")
    parser.add_argument("--commitment", metavar="HEX", help="the commitment that you noted before the opening")
    parser.add_argument("--all", type=int, metavar="N", help="print the whole order: N numbers, each with its lot")
    return parser.parse_args()


def main() -> int:
    arguments = parsed_arguments()
    try:
        proofs = list(find_proofs(read(arguments.proof)))
        if not proofs:
            raise Misfit("it has no secret; ask for lotteryProof or lottery, with all fields, after the opening")
        for proof in proofs:
            tell(proof, arguments.commitment, arguments.all)
    except Misfit as misfit:
        say(f"This does not fit: {misfit}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
