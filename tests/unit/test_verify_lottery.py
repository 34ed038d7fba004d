"""The lottery verifier accepts only genuine proofs and needs only Python."""

import ast
import contextlib
import hashlib
import io
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from domain.lottery import commitment_of, draw, seed_of

ROOT = Path(__file__).parents[2]
VERIFIER = ROOT / "deploy" / "verify" / "lottery.py"
SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
DIGEST = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
SEED = seed_of(SECRET, DIGEST)
LOTTERY: dict[str, Any] = {
    "registrations": 1_000,
    "digest": DIGEST,
    "secret": SECRET,
    "seed": SEED,
    "commitment": commitment_of(SECRET),
}
PLACE: dict[str, Any] = {"lot": 500, "number": draw(SEED, 1_000).number_of(500), **LOTTERY}
OTHER = hashlib.sha256(b"other").hexdigest()


def verify(content: object, *arguments: str) -> tuple[int, str]:
    """Run the verifier in this process on the given input; return its exit status and output."""
    output = io.StringIO()
    with (
        mock.patch("sys.stdin", io.StringIO(text_of(content))),
        mock.patch("sys.argv", ["lottery.py", *arguments]),
        contextlib.redirect_stdout(output),
        pytest.raises(SystemExit) as exit_status,
    ):
        runpy.run_path(str(VERIFIER), run_name="__main__")
    assert isinstance(exit_status.value.code, int)
    return exit_status.value.code, output.getvalue()


def text_of(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def test_verifier_runs_without_our_packages() -> None:
    """The option -I ignores the current folder and the environment."""
    command = [sys.executable, "-I", str(VERIFIER)]
    done = subprocess.run(command, input=text_of(PLACE), capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == verify(PLACE)[1]


def test_verifier_imports_only_the_standard_library() -> None:
    tree = ast.parse(VERIFIER.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_genuine_proof_is_accepted() -> None:
    code, output = verify(PLACE, "--commitment", f" {LOTTERY['commitment'].upper()} ")
    assert (code, output.splitlines()) == (
        0,
        [
            "The secret matches the commitment, and the seed was made from the secret and the registrations.",
            f"Lot 500 of 1000 drew number {PLACE['number']}.",
        ],
    )


def test_whole_response_is_searched_for_proofs(tmp_path: Path) -> None:
    answer = {"data": {"queueEntry": {"lotteryProof": PLACE}, "waitingRoom": {"lottery": LOTTERY}}}
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer))
    code, output = verify("", str(file))
    assert (code, output.count("The secret matches"), output.count("drew number")) == (0, 2, 1)
    assert output.count(f"Is this the commitment that you noted before the opening? {LOTTERY['commitment']}") == 2
    broken = {"data": [{"first": PLACE}, {"second": PLACE | {"number": PLACE["number"] + 1}}]}
    assert verify(broken)[0] == 1


def test_proofs_of_small_lotteries_are_accepted() -> None:
    for count in (1, 2, 9):
        drawn = draw(SEED, count)
        places = [PLACE | {"registrations": count, "lot": n, "number": drawn.number_of(n)} for n in range(1, count + 1)]
        assert verify(places)[0] == 0


def test_all_option_prints_the_whole_order() -> None:
    ten = LOTTERY | {"registrations": 10}
    code, output = verify(ten, "--all", "10", "--commitment", LOTTERY["commitment"])
    assert (code, output.splitlines()[1:]) == (
        0,
        ["1 6", "2 3", "3 5", "4 2", "5 4", "6 10", "7 7", "8 9", "9 1", "10 8"],
    )
    assert verify(ten, "--all", "9") == (1, "This proof is not valid: 10 lots were drawn, not 9.\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lot": 501}, "lot 501 drew number"),
        ({"lot": 0}, "its lot is not a number from 1 to 1000"),
        ({"lot": None}, "its lot is not a number from 1 to 1000"),
        ({"lot": True}, "its lot is not a number from 1 to 1000"),
        ({"number": PLACE["number"] - 1}, f"lot 500 drew number {PLACE['number']}, not {PLACE['number'] - 1}"),
        ({"number": 1_001}, "its number is not a number from 1 to 1000"),
        ({"number": "1"}, "its number is not a number from 1 to 1000"),
        ({"registrations": 499}, "its lot is not a number from 1 to 499"),
        ({"registrations": 2_000}, "lot 500 drew number"),
        ({"registrations": 0}, "contradict each other"),
        ({"registrations": 10**12}, "its number of registrations is not a number from 0 to"),
        ({"digest": DIGEST[::-1]}, "the seed was not made from this secret and these registrations"),
        ({"digest": ""}, "contradict each other"),
        ({"digest": DIGEST[1:]}, "its digest is not 40 hexadecimal digits"),
        ({"secret": OTHER}, "the secret does not match the commitment"),
        ({"secret": OTHER[:-1] + "é"}, "its secret is not 64 hexadecimal digits"),
        ({"secret": OTHER, "commitment": commitment_of(OTHER)}, "the seed was not made from this secret"),
        ({"secret": OTHER, "commitment": commitment_of(OTHER), "seed": seed_of(OTHER, DIGEST)}, "lot 500 drew number"),
        ({"seed": OTHER}, "the seed was not made from this secret"),
        ({"seed": None}, "it has no seed"),
        ({"commitment": OTHER}, "the secret does not match the commitment"),
        ({"commitment": 7}, "its commitment is not 64 hexadecimal digits"),
    ],
)
def test_changed_proof_is_refused(changes: dict[str, Any], message: str) -> None:
    code, output = verify(PLACE | changes)
    assert code == 1
    assert output.startswith("This proof is not valid: ")
    assert message in output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "it cannot be read"),
        ("[" * 100_000, "it cannot be read"),
        ({"data": {"queueEntry": {"lotteryProof": None}}}, "it has no secret"),
        ({"secret": None, "commitment": OTHER}, "it has no secret"),
    ],
)
def test_input_without_a_proof_is_refused(content: object, message: str) -> None:
    code, output = verify(content)
    assert code == 1
    assert message in output


def test_commitment_that_differs_from_the_noted_one_is_refused() -> None:
    code, output = verify(PLACE, "--commitment", OTHER)
    assert (code, output) == (
        1,
        f"This proof is not valid: its commitment is {LOTTERY['commitment']}, but you noted {OTHER}.\n",
    )


def test_documented_vectors_and_program_are_correct() -> None:
    """Run the program in docs/lottery.md unchanged."""
    text = (ROOT / "docs" / "lottery.md").read_text()
    for value in (SECRET, DIGEST, SEED, LOTTERY["commitment"]):
        assert value in text
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[6, 3, 5, 2, 4, 10, 7, 9, 1, 8]\n"
