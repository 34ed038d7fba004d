"""The draw matches the documented vectors, gives each number once, and favors no lot."""

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.lottery import LotteryProof, Permutation, Reveal, commitment_of, draw, new_secret, seed_of

SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
DIGEST = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
SEED = "709bfb7f19dcb283183e1080fcf58a32df874779cb48ee5fe03586ccb81eb795"


def test_draw_matches_the_documented_vectors() -> None:
    assert commitment_of(SECRET) == "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
    assert seed_of(SECRET, DIGEST) == SEED
    drawn = draw(SEED, 10)
    assert [drawn.lot_of(number) for number in range(1, 11)] == [6, 3, 5, 2, 4, 10, 7, 9, 1, 8]
    assert [drawn.number_of(lot) for lot in range(1, 11)] == [9, 4, 2, 5, 3, 1, 7, 10, 8, 6]


def test_draw_of_100_000_lots_never_changes() -> None:
    drawn = draw(SEED, 100_000)
    assert (len(drawn), drawn.number_of(1), drawn.number_of(100_000)) == (100_000, 73_053, 64_181)
    assert [hashlib.sha256(packed).hexdigest() for packed in (drawn.ranks, drawn.order)] == [
        "a63cd6ec0f797c2e6f8afec4198499a503b0dc6232ab2d548d8d0e99859a5338",
        "a5a322b6887e383569d2a5752e879882245d066047fc0fa6e3bd8a3aea286d4c",
    ]


def test_draw_without_registrations_is_empty() -> None:
    assert draw(SEED, 0) == Permutation(b"", b"")


@pytest.mark.parametrize("index", [-1, 0, 11])
def test_lot_outside_the_draw_has_no_number(index: int) -> None:
    drawn = draw(SEED, 10)
    for read in (drawn.number_of, drawn.lot_of):
        with pytest.raises(IndexError, match="is not between 1 and 10"):
            read(index)


def test_numbers_are_packed_in_big_endian_order() -> None:
    drawn = Permutation(ranks=bytes.fromhex("0000000200000001"), order=bytes.fromhex("0000000200000001"))
    assert (drawn.number_of(1), drawn.lot_of(1)) == (2, 2)
    assert draw(SEED, 10).order[:8].hex() == "0000000600000003"


@given(seed=st.binary(min_size=32, max_size=32), count=st.integers(0, 600))
def test_every_number_is_drawn_once_and_leads_back_to_its_lot(seed: bytes, count: int) -> None:
    drawn = draw(seed.hex(), count)
    assert sorted(drawn.number_of(lot) for lot in range(1, count + 1)) == list(range(1, count + 1))
    assert all(drawn.lot_of(drawn.number_of(lot)) == lot for lot in range(1, count + 1))


@given(seed=st.binary(min_size=32, max_size=32), count=st.integers(1, 300))
def test_draw_matches_the_documented_algorithm(seed: bytes, count: int) -> None:
    def hashed(lot: int) -> bytes:
        return hashlib.sha256(seed + lot.to_bytes(8, "big")).digest()

    drawn = draw(seed.hex(), count)
    assert [drawn.lot_of(number) for number in range(1, count + 1)] == sorted(range(1, count + 1), key=hashed)


def test_no_lot_is_favored() -> None:
    """Apply a chi-squared test to each lot's numbers over many fixed seeds.

    With 9 degrees of freedom, 0.1% of fair draws exceed 27.9.
    """
    people, seeds = 10, 3_000
    seen = [[0] * people for _ in range(people)]
    for index in range(seeds):
        drawn = draw(hashlib.sha256(index.to_bytes(4, "big")).hexdigest(), people)
        for lot in range(1, people + 1):
            seen[lot - 1][drawn.number_of(lot) - 1] += 1
    expected = seeds / people
    for counts in seen:
        assert sum((count - expected) ** 2 for count in counts) / expected < 27.9, seen


def test_last_registration_changes_the_draw() -> None:
    other = hashlib.sha1(DIGEST.encode() + b"zoe1700000000000").hexdigest()
    assert draw(seed_of(SECRET, other), 100).order != draw(SEED, 100).order


def test_secrets_are_32_bytes_and_unique() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(bytes.fromhex(secret)) for secret in made} == {32}


def test_proof_contains_the_lot_its_number_and_the_reveal() -> None:
    reveal = Reveal(1, 10, DIGEST, SECRET, SEED, commitment_of(SECRET), datetime(2026, 11, 20, tzinfo=UTC))
    assert reveal.proof(lot=6, number=1) == LotteryProof(6, 1, reveal)
