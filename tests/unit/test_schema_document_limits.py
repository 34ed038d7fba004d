"""Documents of a hostile size are refused with QUERY_TOO_COMPLEX, and good ones are read once."""

import pytest
from graphql import build_schema, get_introspection_query, parse

import schema
from schema.execution import document_cache, document_limits
from schema.execution.document_cache import Document, DocumentCache
from schema.execution.document_limits import Size, measure
from schema.execution.field_costs import build_cost_table

SCHEMA = build_schema(schema.sdl())


def make_cache() -> DocumentCache:
    return DocumentCache(SCHEMA, build_cost_table(SCHEMA))


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
        ("query A { a } query B { b { c } }", Size(depth=2, fields=3, roots=2)),
    ],
)
def test_a_document_is_measured_as_it_will_run(text: str, size: Size) -> None:
    assert measure(parse(text)) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (nested(document_limits.MAX_DEPTH + 1), "15 levels"),
        ("{ a { " + "b " * document_limits.MAX_FIELDS + "} }", "400 fields"),
        ("{ " + "serverTime " * (document_limits.MAX_ROOT_FIELDS + 1) + "}", "20 root fields"),
        ("{ a { " + " ".join(f"a{i}: b" for i in range(document_limits.MAX_ALIASES + 1)) + "} }", "30 aliases"),
        ("{ a " + "@skip(if: true) " * (document_limits.MAX_DIRECTIVES + 1) + "}", "50 directives"),
        ("{ " + "a " * document_limits.MAX_TOKENS + "}", "2000 tokens"),
        ("{ a }" + " " * document_limits.MAX_CHARACTERS, "20000 characters"),
        ("{ a }" + "\n#" * (document_limits.MAX_TOKENS + 1), "2000 tokens"),
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
        ("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }", "introspection"),
    ],
)
async def test_what_is_too_large_is_refused_and_says_which_limit(text: str, words: str) -> None:
    document = await read(text)
    assert document.ast is None
    (error,) = document.errors
    assert words in error.message


async def test_the_code_says_that_it_is_a_limit() -> None:
    (error,) = (await read(nested(document_limits.MAX_DEPTH + 1))).errors
    assert error.extensions == {"code": "QUERY_TOO_COMPLEX"}


@pytest.mark.parametrize(
    "text",
    [
        "{ " + "serverTime " * document_limits.MAX_ROOT_FIELDS + "}",
        "{ " + " ".join(f"a{i}: serverTime" for i in range(document_limits.MAX_ROOT_FIELDS)) + "}",
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
async def test_what_is_just_small_enough_is_read(text: str) -> None:
    assert (await read(text)).errors == ()


async def test_a_good_document_is_read_once() -> None:
    known = make_cache()
    assert await known.get("{ serverTime }") is await known.get("{ serverTime }")
    assert await known.get("{ serverTime }") is not await known.get("{serverTime}")


async def test_a_bad_document_is_never_kept() -> None:
    known = make_cache()
    assert await known.get("{ nothing }") is not await known.get("{ nothing }")


async def test_a_long_document_is_never_kept() -> None:
    known = make_cache()
    text = "{ serverTime }".ljust(document_cache.LONGEST_CACHED + 1)
    assert (await known.get(text)).errors == ()
    assert await known.get(text) is not await known.get(text)


async def test_the_least_used_document_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_cache, "CACHED_DOCUMENTS", 2)
    known = make_cache()
    first, second = await known.get("{ a: serverTime }"), await known.get("{ b: serverTime }")
    assert await known.get("{ a: serverTime }") is first
    await known.get("{ c: serverTime }")
    assert await known.get("{ a: serverTime }") is first
    assert await known.get("{ b: serverTime }") is not second
