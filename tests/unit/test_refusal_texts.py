"""The shop has a sentence for each error of the API, in each of its languages."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInterfaceType, GraphQLObjectType, build_schema, get_named_type

from schema import SystemCode, sdl

FOLDER = Path(__file__).parents[2] / "frontend" / "src" / "messages" / "refusals"
LANGUAGES = ("en", "de", "ar")
SCHEMA = build_schema(sdl())
SAME_SENTENCE = {("RateLimitedError", "per"), ("IllegalTransitionError", "status")}
"""Rules for which a buyer does the same whatever their value is."""
UNREACHABLE = "refusal.UNREACHABLE"
"""For a server that gives no answer, and so no code."""
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)[,}]")


@cache
def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text())
    return found


def enum_values(name: str) -> list[str]:
    enum = SCHEMA.type_map[name]
    assert isinstance(enum, GraphQLEnumType)
    return list(enum.values)


def error_types() -> Iterator[tuple[str, GraphQLObjectType]]:
    """Yield each error with its code."""
    interface = SCHEMA.type_map["DomainError"]
    assert isinstance(interface, GraphQLInterfaceType)
    for type_ in SCHEMA.get_possible_types(interface):
        words = re.findall(r"[A-Z][a-z]+", type_.name.removesuffix("Error"))
        yield "_".join(words).upper(), type_


def rules() -> Iterator[tuple[str, str]]:
    """Yield each rule that an error can name, with the error's code."""
    for code, type_ in error_types():
        for name, field in type_.fields.items():
            enum = get_named_type(field.type)
            if isinstance(enum, GraphQLEnumType) and name != "code" and (type_.name, name) not in SAME_SENTENCE:
                yield from ((code, rule) for rule in enum.values)
    yield from (("INVALID_INPUT", rule) for rule in enum_values("InputRule"))


def fields_of(code: str) -> set[str]:
    problem = SCHEMA.type_map["InputProblem"]
    assert isinstance(problem, GraphQLObjectType)
    types = {**dict(error_types()), "INVALID_INPUT": problem}
    # Errors of the whole answer have these two.
    return set(types[code].fields) if code in types else {"retryable", "retryAfterSeconds"}


CODES = sorted({*enum_values("ErrorCode"), *SystemCode})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_code_has_a_sentence(language: str, code: str) -> None:
    assert f"refusal.{code}" in texts(language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("code", "rule"), sorted(set(rules())))
def test_rule_has_a_sentence(language: str, code: str, rule: str) -> None:
    assert f"refusal.{code}.{rule}" in texts(language)


def test_every_code_of_the_sdl_belongs_to_an_error() -> None:
    assert sorted(code for code, _ in error_types()) == sorted(enum_values("ErrorCode"))


def test_no_sentence_is_for_an_unknown_code_or_rule() -> None:
    known = {UNREACHABLE} | {f"refusal.{code}" for code in CODES} | {f"refusal.{code}.{rule}" for code, rule in rules()}
    assert {key.partition("+")[0] for key in texts("en")} == known


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_languages_have_the_same_keys_in_the_same_order(language: str) -> None:
    assert list(texts(language)) == list(texts("en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentence_contains_only_the_fields_that_its_key_names(language: str) -> None:
    for key, text in texts(language).items():
        base, *named = key.split("+")
        assert set(_PLACEHOLDER.findall(text)) <= set(named), key
        assert set(named) <= fields_of(base.split(".")[1]), key


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_translations_contain_the_same_fields(language: str) -> None:
    for key, text in texts(language).items():
        own, english = (set(_PLACEHOLDER.findall(each)) for each in (text, texts("en")[key]))
        assert own == english or key.endswith("+given+maximum"), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_whole_and_short(language: str) -> None:
    for key, text in texts(language).items():
        assert text == text.strip(), key
        assert re.search(r"[.!?؟]\}*$", text), key
        assert len(text) <= 900, key


def test_german_and_arabic_are_translated() -> None:
    german, arabic = texts("de"), texts("ar")
    assert not [key for key, text in texts("en").items() if german[key] == text]
    assert not [key for key, text in arabic.items() if not re.search(r"[\u0600-\u06ff]", text)]
