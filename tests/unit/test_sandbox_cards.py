"""The test cards of the sandbox, and the page that describes them and the faults."""

import re
from pathlib import Path

import pytest

from payments.sandbox.bank.cards import CARDS, Card, card_ending, card_named, card_numbered
from payments.sandbox.faults import FaultKind

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def _has_valid_check_digit(number: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(number))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


@pytest.mark.parametrize("card", CARDS, ids=[card.name for card in CARDS])
def test_card_is_found_by_number_name_and_last_digits(card: Card) -> None:
    assert _has_valid_check_digit(card.number)
    assert {card_numbered(card.number), card_named(card.name), card_ending(card.last4)} == {card}


@pytest.mark.parametrize("card", CARDS, ids=[card.name for card in CARDS])
def test_page_describes_each_card(card: Card) -> None:
    grouped = " ".join(re.findall("....", card.number))
    assert f"| {grouped} | `{card.name}` | {card.label} |" in PAGE


def test_page_describes_each_fault() -> None:
    kinds = re.findall(r"^\| `(\w+)` \| is (?:not )?executed", PAGE, re.MULTILINE)
    assert sorted(kinds) == sorted(FaultKind)
