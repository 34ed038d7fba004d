"""Characters refused in lines and blocks of text, and the form in which text is stored."""

import re

import pytest

from domain.text.characters import (
    IGNORABLE,
    block_problems,
    clean_block,
    clean_line,
    key_text_problems,
    line_problems,
    plain_line,
)

INVISIBLE = (
    "\u00ad",
    "\u180e",
    "\u200b",
    "\u2060",
    "\ufeff",
    "\u2064",
    "\U000e0041",
    "\u2800",
    "\U00013430",
    "\U0001343f",
)
BIDIRECTIONAL = ("\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2069")
CONTROLS = ("\x00", "\x07", "\x1b", "\x7f", "\x9b", "\ud800", "\udfff", "\ufffe", "\ufdd0")
IDEOGRAPHIC = "\ufe00\ufe01\ufe02" + "".join(map(chr, range(0xE0100, 0xE01F0)))
BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\t")


def line_messages(text: str, *, longest: int = 200, may_be_empty: bool = False) -> list[str]:
    found = line_problems("name", text, longest=longest, may_be_empty=may_be_empty)
    return [problem.message for problem in found]


def block_messages(text: str) -> list[str]:
    return [problem.message for problem in block_problems("description", text, longest=5_000, may_be_empty=True)]


@pytest.mark.parametrize("letter", [*INVISIBLE, *BIDIRECTIONAL, *CONTROLS, *BREAKS], ids=ascii)
def test_line_refuses_invisible_bidirectional_and_control_characters(letter: str) -> None:
    assert len(line_messages(f"A{letter}B")) == 1
    assert [problem.path for problem in key_text_problems("key", f"A{letter}B", longest=9)] == ["key"]


def test_refusal_names_the_character_and_its_position() -> None:
    assert line_messages("Ali\u202ece") == [
        "contains U+202E (right-to-left override) at character 4, which can reverse the text around it; remove it"
    ]
    assert line_messages("A\u200bB") == [
        "contains U+200B (zero width space) at character 2, which is invisible; remove it"
    ]
    assert line_messages("A\u3164B") == [
        "contains U+3164 (hangul filler) at character 2, which is invisible; remove it"
    ]
    assert line_messages("A\nB") == ["contains a line break at character 2; write one line"]
    assert line_messages("A\tB") == ["contains a tab at character 2; use spaces"]
    assert line_messages("A\x00B") == ["contains U+0000 at character 2, a control character; remove it"]


@pytest.mark.parametrize("text", ["", " ", "\u3000\u00a0 ", "\u3164", "\u2800\u115f", "\u0301", "\u200d"], ids=ascii)
def test_line_needs_a_visible_character(text: str) -> None:
    assert len(line_messages(text)) == 1


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
        "1\ufe0f\u20e3 ©\ufe0f ‼\ufe0f",
        "👩🏽\u200d⚕\ufe0f 🏳\ufe0f\u200d🌈 🙂\u200d\u2194\ufe0f 🐦\u200d⬛ 👁\ufe0f\u200d🗨\ufe0f",
        "葛\U000e0100飾",
        "\u0d05\u0d35\u0d28\u0d4d\u200d",
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
        "\u09b0\u200d\u09cd\u09af",
        "\u1830\u1820\u1837\u180e\u1820 \u1820\u180b",
        "!!!",
        "7",
    ],
    ids=ascii,
)
def test_line_accepts_every_script_and_emoji(text: str) -> None:
    assert line_messages(text) == []
    assert clean_line(text) == text


@pytest.mark.parametrize("form", ["A{}B", "{}Ada", "Ada{}", "م{}", "م{}A", "7{}", "❤{}A", "葛{}❤"])
def test_ignorable_character_is_refused_where_it_has_no_effect(form: str) -> None:
    letters = [chr(code) for code in range(0x20000) if re.match(f"[{IGNORABLE}]", chr(code))]
    letters += [chr(code) for code in range(0xE0000, 0xE1000)]
    visible = {"❤": "\ufe00\ufe0e\ufe0f", "葛": IDEOGRAPHIC}.get(form[0], "")
    assert len(letters) > 4_096
    assert [
        ascii(letter) for letter in letters if letter not in visible and not line_messages(form.format(letter))
    ] == []


@pytest.mark.parametrize(
    "letter", "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U0001d173\U0001bca3\U00013430", ids=ascii
)
def test_block_refuses_fillers_and_format_characters(letter: str) -> None:
    assert len(block_messages(f"Doors{letter}open")) == 1


@pytest.mark.parametrize(
    "tags",
    ["", "\U000e007f", "\U000e0067", "\U000e0067" * 7 + "\U000e007f", "\U000e0047\U000e007f", "\U000e0020\U000e007f"],
    ids=ascii,
)
def test_tag_characters_are_accepted_only_in_a_flag(tags: str) -> None:
    for text in (f"\U0001f3f4{tags}", f"Doors {tags}"):
        assert len(line_messages(text)) == len(block_messages(text)) == bool(tags)
    assert line_messages("\U0001f3f4" + "\U000e0067" * 6 + "\U000e007f") == []


def test_text_is_stored_composed_and_trimmed() -> None:
    assert clean_line("  Bjo\u0308rk\u00a0 ") == "Björk"
    assert clean_block("one\r\ntwo\u2028three\rfour\n") == "one\ntwo\nthree\nfour"


def test_length_of_the_stored_text_is_limited() -> None:
    assert line_messages("o\u0308" * 200 + "   ") == []
    assert line_messages("x" * 201) == ["has 201 characters; at most 200 are allowed"]
    assert line_messages("", may_be_empty=True) == []


def test_block_accepts_lines_and_refuses_bidirectional_overrides() -> None:
    assert block_messages("Doors: 19:00\n\tMusic: 20:00\r\nשל\u05d5ם\u200f!\nภาษา\u200bไทย\nsoft\u00adhyphen") == []
    for letter in ("\u202e", "\u2067", "\x00", "\x1b", "\ufeff"):
        assert len(block_messages(f"Doors{letter}open")) == 1


def test_plain_line_drops_the_characters_that_a_line_refuses() -> None:
    assert plain_line(" oli\u202evia\n\x00 \ud800") == "olivia"
    assert plain_line("\u200b") == ""
    assert plain_line("A\u200dda\u3164 ❤\ufe0f\ufe0f क्\u200dष") == "Ada ❤\ufe0f क्\u200dष"


def test_text_with_too_many_marks_is_refused_and_never_composed() -> None:
    flood = "a" + "\u0301\u0323" * 50_000
    assert line_messages(flood) == ["has 100001 characters; at most 200 are allowed"]
    assert (clean_line(flood), clean_block(flood)) == (flood, flood)
    assert line_messages("a" + "\u0301" * 30) == []
    assert line_messages("a" + "\u0301" * 32) == ["has more than 30 marks on one letter at character 32; remove some"]
    many = "a" + "\u0301\u0323" * 2_000
    assert clean_block(many) == many
    assert len(block_messages(many)) == 1


@pytest.mark.parametrize("mark", "\u0e47\u0e34\u0902\u093f\u20dd\u0f90", ids=ascii)
def test_every_kind_of_mark_counts(mark: str) -> None:
    assert line_messages("ก" + mark * 30) == []
    assert line_messages("ก" + mark * 31) == ["has more than 30 marks on one letter at character 32; remove some"]
    assert len(block_messages("ก" + mark * 31)) == 1


@pytest.mark.parametrize("name", ["น้ำพึ่งเรือเสือพึ่งป่า", "हिन्दी संगीत", "தமிழ்", "বাংলা", "བསྒྲུབས", "ကြည့်", "ខ្មែរ", "ಶ್ರೀ"])
def test_words_with_many_marks_are_accepted_in_their_usual_spelling(name: str) -> None:
    assert line_messages(name) == []
