"""Documents above a limit are refused with QUERY_TOO_COMPLEX, and valid ones are parsed once."""

import pytest
from graphql import get_introspection_query, parse

from domain.limits.operations import DEFAULT_LIMITS, OperationLimits
from schema import CORE_SCHEMA
from schema.execution import document_cache
from schema.execution.document_cache import Document, DocumentCache
from schema.execution.document_limits import Size, measure
from schema.execution.field_costs import build_cost_table


def make_cache(limits: OperationLimits = DEFAULT_LIMITS) -> DocumentCache:
    return DocumentCache(CORE_SCHEMA, build_cost_table(CORE_SCHEMA), unshared_fields=frozenset(), limits=limits)


async def read(text: str) -> Document:
    return await make_cache().get(text)


def nested(levels: int) -> str:
    return "{ a " * levels + "}" * levels


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("{ a }", Size(depth=1, fields=1, roots=1)),
        ("{ a b: c { d e: f } }", Size(depth=2, fields=4, roots=2, aliases=2)),
        ("query @x { a @y @z ... @x { b } }", Size(depth=1, fields=2, roots=2, directives=4)),
        ("{ a { ...F } b { ...F } } fragment F on T { c { d } e: f }", Size(depth=3, fields=8, roots=2, aliases=2)),
        ("{ ...F } fragment F on Query { a ... on Query { b } }", Size(depth=1, fields=2, roots=2)),
        ("{ ...F } fragment F on Query { a { ...F } }", Size(depth=1, fields=1, roots=1)),
        ("{ ...Nothing }", Size()),
        ("{ a } fragment Unused on T { b c: d { e } }", Size(depth=2, fields=4, roots=1, aliases=1)),
        ("query A { a } query B { b { c } }", Size(depth=2, fields=3, roots=2)),
    ],
)
def test_document_is_measured_as_it_will_be_executed(text: str, size: Size) -> None:
    assert measure(parse(text)) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (nested(DEFAULT_LIMITS.depth + 1), "15 levels"),
        ("{ a { " + "b " * DEFAULT_LIMITS.fields + "} }", "400 fields"),
        ("{ " + "serverTime " * (DEFAULT_LIMITS.root_fields + 1) + "}", "20 root fields"),
        ("{ a { " + " ".join(f"a{i}: b" for i in range(DEFAULT_LIMITS.aliases + 1)) + "} }", "30 aliases"),
        ("{ a " + "@skip(if: true) " * (DEFAULT_LIMITS.directives + 1) + "}", "50 directives"),
        ("{ " + "a " * DEFAULT_LIMITS.document_tokens + "}", "2000 tokens"),
        ("{ a }" + " " * DEFAULT_LIMITS.document_characters, "20000 characters"),
        ("{ a }" + "\n#" * (DEFAULT_LIMITS.document_tokens + 1), "2000 tokens"),
        (nested(600), "nested too deeply"),
        ("{ a(b: " + "[" * 1_900 + ") }", "nested too deeply"),
        ("query ($a: " + "[" * 990 + "Int" + "]" * 990 + ") { a }", "nested too deeply"),
        (
            "{ ...F0 } "
            + " ".join(f"fragment F{i} on Query {{ a {{ ...F{i + 1} ...F{i + 1} }} }}" for i in range(60))
            + " fragment F60 on Query { serverTime }",
            "levels",
        ),
        (
            "{ ...F0 } "
            + " ".join(f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(60))
            + " fragment F60 on Query { serverTime }",
            "fields",
        ),
        (
            "{ ...F0 } "
            + " ".join(f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(240))
            + " fragment F240 on Query { serverTime }",
            "nested too deeply",
        ),
        ("{ serverTime } fragment F on Concert { " + "a { a { a } } " * 90 + "}", "12015 pairs"),
        ("{ concerts { nodes { " + "tiers { id } " * 130 + "} } }", "16770 pairs"),
        ("{ concerts { nodes { " + "... { slug } " * 130 + "} } }", "8385 pairs"),
        ("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }", "introspection"),
    ],
)
async def test_refusal_names_the_limit_that_a_document_exceeds(text: str, words: str) -> None:
    document = await read(text)
    assert document.ast is None
    (error,) = document.errors
    assert words in error.message


async def test_refusal_has_the_code_query_too_complex() -> None:
    (error,) = (await read(nested(DEFAULT_LIMITS.depth + 1))).errors
    assert error.extensions == {"code": "QUERY_TOO_COMPLEX"}


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "serverTime " * DEFAULT_LIMITS.root_fields + "}",
        "{ " + " ".join(f"a{i}: serverTime" for i in range(DEFAULT_LIMITS.root_fields)) + "}",
        get_introspection_query(
            descriptions=True,
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
        ),
    ],
    ids=["root fields", "aliases", "introspection"],
)
async def test_document_at_a_limit_is_accepted(text: str) -> None:
    assert (await read(text)).errors == ()


async def test_valid_document_is_cached() -> None:
    cache = make_cache()
    assert await cache.get("{ serverTime }") is await cache.get("{ serverTime }")
    assert await cache.get("{ serverTime }") is not await cache.get("{serverTime}")


async def test_invalid_document_is_not_cached() -> None:
    cache = make_cache()
    assert await cache.get("{ nothing }") is not await cache.get("{ nothing }")


async def test_long_document_is_not_cached() -> None:
    cache = make_cache()
    text = "{ serverTime }".ljust(document_cache.LONGEST_CACHED + 1)
    assert (await cache.get(text)).errors == ()
    assert await cache.get(text) is not await cache.get(text)


async def test_least_recently_used_document_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_cache, "CACHED_CHARACTERS", 2 * len("{ a: serverTime }"))
    cache = make_cache()
    first, second = await cache.get("{ a: serverTime }"), await cache.get("{ b: serverTime }")
    assert await cache.get("{ a: serverTime }") is first
    await cache.get("{ c: serverTime }")
    assert await cache.get("{ a: serverTime }") is first
    assert await cache.get("{ b: serverTime }") is not second


@pytest.mark.parametrize(
    ("limits", "text", "refused"),
    [
        ({"depth": 3}, "{ concert { venue { name } } }", "{ concert { stock { tiers { held } } } }"),
        ({"fields": 2}, "{ serverTime __typename }", "{ serverTime __typename a: __typename }"),
        ({"aliases": 1}, "{ a: serverTime }", "{ a: serverTime b: serverTime }"),
        ({"root_fields": 1}, "{ serverTime }", "{ serverTime __typename }"),
        (
            {"directives": 1},
            "{ serverTime @skip(if: true) }",
            "{ serverTime @skip(if: true) @include(if: true) }",
        ),
        ({"document_tokens": 5}, "{ serverTime }", "{ a: serverTime b: serverTime }"),
        ({"document_characters": 14}, "{ serverTime }", "{  serverTime }"),
    ],
)
async def test_document_at_a_configured_limit_is_accepted_but_not_a_larger_one(
    limits: dict[str, int], text: str, refused: str
) -> None:
    cache = make_cache(OperationLimits(**limits))
    assert (await cache.get(text)).errors == ()
    (error,) = (await cache.get(refused)).errors
    assert (error.extensions or {})["code"] == "QUERY_TOO_COMPLEX"
    assert (await make_cache().get(refused)).errors == ()
