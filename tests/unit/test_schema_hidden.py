"""Without introspection, neither answers nor errors show the schema."""

from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from graphql import get_introspection_query

from resolvers.context import Context
from schema import DocumentRules, Engine, Operation, build_engine, hash_document
from settings import Settings, SettingsError

WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")
HIDDEN = build_engine(DocumentRules(allows_introspection=False))
SHOWN = build_engine(DocumentRules())


async def errors_of(engine: Engine, document: str, **variables: object) -> list[Any]:
    result = await engine.executor.execute(Operation(document, variables, None), WITHOUT_STORES)
    errors = result.payload.get("errors", [])
    assert isinstance(errors, list)
    return errors


@pytest.mark.parametrize(
    "document",
    [
        get_introspection_query(),
        '{ __type(name: "Query") { name } }',
        "{ __typename __schema { types { name } } }",
        "{ serverTime __schema { types { name } } }",
        "{ a: __schema { types { name } } b: __schema { types { name } } }",
        "{ ...F } fragment F on Query { ... { __schema { types { name } } } }",
        "{ __schema { nothing } }",
    ],
)
async def test_introspection_is_refused_with_its_own_code(document: str) -> None:
    (error,) = await errors_of(HIDDEN, document)
    assert error["extensions"]["code"] == "INTROSPECTION_DISABLED"
    assert "ask its operator for the SDL" in error["message"]


async def test_typename_is_allowed_without_introspection() -> None:
    result = await HIDDEN.executor.execute(Operation("{ __typename }", {}, None), WITHOUT_STORES)
    assert result.payload["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ concer { id } }", {}),
        ("{ concert }", {}),
        ("{ concerts(firs: 1) { nodes { id } } }", {}),
        ("{ node(id: 1) { ... on Concer { id } } }", {}),
        ("{ node(id: 1) { name } }", {}),
        ("{ concerts(filter: {statu: DRAFT}) { nodes { id } } }", {}),
        ("{ concerts(filter: {status: DRAF}) { nodes { id } } }", {}),
        ("query ($f: ConcertFilter = {statu: 1}) { concerts(filter: $f) { nodes { id } } }", {}),
        ("query ($f: ConcertFilter) { concerts(filter: $f) { nodes { id } } }", {"f": {"statu": 1}}),
        ("query ($f: ConcertFilter) { concerts(filter: $f) { nodes { id } } }", {"f": {"status": ["DRAF"]}}),
        ("query ($f: ConcertFilte) { concerts(filter: $f) { nodes { id } } }", {}),
        ("{ serverTime @skip(i: true) }", {}),
    ],
)
async def test_errors_suggest_names_only_with_introspection(document: str, variables: dict[str, object]) -> None:
    shown = await errors_of(SHOWN, document, **variables)
    hidden = await errors_of(HIDDEN, document, **variables)
    assert "Did you mean" in str(shown)
    assert "Did you mean" not in str(hidden)
    assert len(hidden) == len(shown)


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        ({}, (True, True)),
        ({"ONSALE_TRUSTED_DOCUMENTS": "list.json"}, (False, False)),
        ({"ONSALE_TRUSTED_DOCUMENTS": "list.json", "ONSALE_INTROSPECTION": "yes"}, (True, False)),
        ({"ONSALE_INTROSPECTION": "no"}, (False, True)),
        ({"ONSALE_GRAPHIQL": "no"}, (True, False)),
    ],
)
def test_settings_control_introspection_and_graphiql_in_development(
    environ: dict[str, str], allowed: tuple[bool, bool]
) -> None:
    settings = Settings.from_env(environ)
    assert (settings.allows_introspection, settings.allows_graphiql) == allowed


@pytest.mark.parametrize("answer", [None, False, True])
def test_production_shows_nothing_without_a_setting(answer: bool | None) -> None:
    settings = Settings(env="production", introspection=answer, graphiql=answer)
    assert (settings.allows_introspection, settings.allows_graphiql) == (bool(answer), bool(answer))


def test_unknown_setting_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="ONSALE_GRAPHIQL is 'true'; it must be one of yes, no"):
        Settings.from_env({"ONSALE_GRAPHIQL": "true"})


async def test_untrusted_schema_queries_that_ask_for_data_are_refused(tmp_path: Path) -> None:
    trusted = tmp_path / "list.json"
    trusted.write_bytes(orjson.dumps({hash_document("{ serverTime }").hex(): "{ serverTime }"}))
    engine = build_engine(DocumentRules(trusted_file=trusted))
    assert await errors_of(engine, '{ __type(name: "Query") { name } }') == []
    for document in ("{ serverTime }", "{ __typename }", "{ serverTime __schema { types { name } } }", "{"):
        (error,) = await errors_of(engine, document)
        assert error["extensions"]["code"] == "PERSISTED_QUERY_ID_REQUIRED"
