"""One rule for all texts: what a line and a block of lines refuse, and how they are stored."""

import pytest

from domain.text.characters import block_problems, clean_block, clean_line, key_text_problems, line_problems, plain_line

INVISIBLE = ("\u00ad", "\u180e", "\u200b", "\u2060", "\ufeff", "\u2064", "\U000e0041")
TURNING = ("\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2069")
CONTROLS = ("\x00", "\x07", "\x1b", "\x7f", "\x9b", "\ud800", "\udfff", "\ufffe", "\ufdd0")
BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\t")


def said(text: str, *, longest: int = 200, may_be_empty: bool = False) -> list[str]:
    found = line_problems("name", text, longest=longest, may_be_empty=may_be_empty)
    return [problem.message for problem in found]


def said_of_block(text: str) -> list[str]:
    return [problem.message for problem in block_problems("description", text, longest=5_000, may_be_empty=True)]


@pytest.mark.parametrize("letter", [*INVISIBLE, *TURNING, *CONTROLS, *BREAKS], ids=ascii)
def test_a_line_refuses_what_hides_turns_or_breaks(letter: str) -> None:
    assert len(said(f"A{letter}B")) == 1
    assert [problem.path for problem in key_text_problems("key", f"A{letter}B", longest=9)] == ["key"]


def test_a_refusal_names_the_character_and_its_place() -> None:
    assert said("Ali\u202ece") == [
        "contains U+202E (right-to-left override) at character 4, which turns the text around it; remove it"
    ]
    assert said("A\u200bB") == ["contains U+200B (zero width space) at character 2, which is invisible; remove it"]
    assert said("A\nB") == ["contains a line break at character 2; write one line"]
    assert said("A\tB") == ["contains a tab at character 2; use spaces"]
    assert said("A\x00B") == ["contains U+0000 at character 2, a control character; remove it"]


@pytest.mark.parametrize("text", ["", " ", "\u3000\u00a0 ", "\u3164", "\u2800\u115f", "\u0301", "\u200d"], ids=ascii)
def test_a_line_needs_something_visible(text: str) -> None:
    assert len(said(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Alice",
        "Þóra Ólafsdóttir",
        "李小龙",
        "ע\u05d5מר אדם",
        "محمد عبد\u0647",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "क्\u200dष",
        "Zoë 🎻",
        "👩\u200d👩\u200d👧 ❤\ufe0f",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f Scotland",
        "!!!",
        "7",
    ],
    ids=ascii,
)
def test_a_line_takes_every_script_and_emoji(text: str) -> None:
    assert said(text) == []
    assert clean_line(text) == text


def test_a_text_is_stored_composed_and_trimmed() -> None:
    assert clean_line("  Bjo\u0308rk\u00a0 ") == "Björk"
    assert clean_block("one\r\ntwo\u2028three\rfour\n") == "one\ntwo\nthree\nfour"


def test_length_is_that_of_the_stored_text() -> None:
    assert said("o\u0308" * 200 + "   ") == []
    assert said("x" * 201) == ["has 201 characters; at most 200 are allowed"]
    assert said("", may_be_empty=True) == []


def test_a_block_takes_lines_and_refuses_what_turns_text() -> None:
    assert said_of_block("Doors: 19:00\n\tMusic: 20:00\r\nשל\u05d5ם\u200f!\nภาษา\u200bไทย\nsoft\u00adhyphen") == []
    for letter in ("\u202e", "\u2067", "\x00", "\x1b", "\ufeff"):
        assert len(said_of_block(f"Doors{letter}open")) == 1


def test_a_text_of_others_loses_what_a_line_refuses() -> None:
    assert plain_line(" oli\u202evia\n\x00 \ud800") == "olivia"
    assert plain_line("\u200b") == ""


def test_a_flood_of_marks_is_refused_and_never_composed() -> None:
    flood = "a" + "\u0301\u0323" * 50_000
    assert said(flood) == ["has 100001 characters; at most 200 are allowed"]
    assert (clean_line(flood), clean_block(flood)) == (flood, flood)
    assert said("a" + "\u0301" * 30) == []
    assert said("a" + "\u0301" * 32) == ["has more than 30 marks on one letter at character 32; remove some"]
    many = "a" + "\u0301\u0323" * 2_000
    assert clean_block(many) == many
    assert len(said_of_block(many)) == 1
