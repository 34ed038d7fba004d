"""Challenges are signed for a person, a concert, a time and a difficulty."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.challenges import LIFETIME_S, ChallengeSigner, CheckedProof
from auth.passes import PassSigner
from domain.ids import ConcertId, PersonId
from domain.limits.challenges import MAX_NONCE_CHARACTERS, ChallengeReason, ProofOfWork
from tests.support.node import run_script
from tests.support.proof_of_work import find_nonce, solve

CONCERT, ANN = ConcertId("abcdefghjkmn"), PersonId("ann")
BITS = 8
INVALID = CheckedProof(0, ChallengeReason.INVALID)
PAGE = (Path(__file__).parents[2] / "docs" / "waiting-room.md").read_text()


def signer_at(now_s: float) -> ChallengeSigner:
    return ChallengeSigner(b"k" * 32, clock=lambda: now_s)


def check(proof: ProofOfWork | None, *, now_s: float = 1_800_000_000, bits: int = BITS) -> CheckedProof:
    return signer_at(now_s).check(proof, CONCERT, ANN, bits=bits)


CHALLENGE = signer_at(1_800_000_000).issue(CONCERT, ANN, BITS)
SOLVED = solve(CHALLENGE)


def test_solved_challenge_is_accepted_until_it_expires() -> None:
    expires_ms = (1_800_000_000 + LIFETIME_S) * 1000
    assert check(SOLVED) == CheckedProof(expires_ms)
    assert check(SOLVED, now_s=1_800_000_000 + LIFETIME_S - 0.001) == CheckedProof(expires_ms)
    assert check(SOLVED, now_s=1_800_000_000 + LIFETIME_S) == CheckedProof(0, ChallengeReason.EXPIRED)


def test_no_proof_is_needed_at_a_difficulty_of_zero() -> None:
    assert [check(proof, bits=0) for proof in (None, SOLVED, ProofOfWork("", ""))] == [CheckedProof(None)] * 3
    assert check(None) == CheckedProof(0, ChallengeReason.MISSING)


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "x" * 10_000,
        CHALLENGE.text.replace(f".{BITS}.", ".1."),
        CHALLENGE.text.replace("1800000120000", "1900000120000"),
        CHALLENGE.text[:-1] + ("0" if CHALLENGE.text[-1] != "0" else "1"),
        CHALLENGE.text + "\n",
        CHALLENGE.text.upper(),
        "\u0661" * 13 + CHALLENGE.text[13:],
    ],
)
def test_changed_challenge_is_invalid(challenge: str) -> None:
    assert check(ProofOfWork(challenge, SOLVED.nonce)) == INVALID
    assert check(ProofOfWork(challenge, find_nonce(challenge, 1))) == INVALID


@pytest.mark.parametrize("nonce", ["", "wrong", "0" * (MAX_NONCE_CHARACTERS + 1), "é", "\ud800"])
def test_nonce_that_does_not_solve_the_challenge_is_invalid(nonce: str) -> None:
    assert check(ProofOfWork(CHALLENGE.text, nonce)) == INVALID


def test_processes_with_the_same_pass_key_accept_each_others_challenges() -> None:
    key = Ed25519PrivateKey.generate()
    one, other, stranger = PassSigner(key), PassSigner(key), PassSigner(Ed25519PrivateKey.generate())
    proof = solve(one.challenges.issue(CONCERT, ANN, BITS))
    assert other.challenges.check(proof, CONCERT, ANN, bits=BITS).problem is None
    assert stranger.challenges.check(proof, CONCERT, ANN, bits=BITS) == INVALID


async def test_solver_in_the_documentation_solves_a_challenge() -> None:
    found = re.search(r"```js\n(async function solve.*?)```", PAGE, re.DOTALL)
    assert found
    assert len(found[1].splitlines()) <= 10
    script = f"{found[1]}\nconsole.log(await solve({CHALLENGE.text!r}, {BITS}));"
    nonce = await run_script(script, for_what="the solver is not tested")
    assert check(ProofOfWork(CHALLENGE.text, nonce)).problem is None
