"""The languages of messages and documents, and the choice of a language for a buyer."""

from collections.abc import Iterator
from enum import StrEnum

from domain.inputs.problems import FieldProblem
from domain.text.characters import line_problems

MAX_TAG = 35
"""The length up to which RFC 5646 asks programs to accept language tags."""


class Locale(StrEnum):
    EN = "en"
    DE = "de"


def choose_locale(tag: str | None) -> Locale:
    """Return the language for a tag such as `de-AT`, or English if no language matches the tag."""
    language = (tag or "").strip().replace("_", "-").partition("-")[0].lower()
    return next((locale for locale in Locale if locale.value == language), Locale.EN)


def locale_problems(path: str, tag: str | None) -> Iterator[FieldProblem]:
    if tag is not None:
        yield from line_problems(path, tag, longest=MAX_TAG)
