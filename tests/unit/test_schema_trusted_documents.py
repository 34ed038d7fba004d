"""The trusted-documents file is fully checked when a process starts."""

from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from app import create_app
from domain.limits.operations import OperationLimits
from resolvers.context import Context
from schema import DocumentRules, Operation, TrustedDocumentsError, build_engine, hash_document
from settings import LimitSettings, Settings, SettingsError

TIME = "query Time { serverTime }"
TYPE = "query Type { __typename }"
WITHOUT_STORES = Context(cast(Any, None), cast(Any, None), None, "test-request")
PAGE = "concerts(first: 100) { nodes { tiers { available held sold } stock { version } } }"
COSTLY = f"query Costly {{ {' '.join(f'p{number}: {PAGE}' for number in range(5))} }}"


def hex_of(text: str) -> str:
    return hash_document(text).hex()


def build(tmp_path: Path, listed: Any) -> None:
    file = tmp_path / "list.json"
    file.write_bytes(listed if isinstance(listed, bytes) else orjson.dumps(listed))
    build_engine(DocumentRules(trusted_file=file, allows_introspection=False))


@pytest.mark.parametrize("id_", [hex_of(TIME), f"sha256:{hex_of(TIME)}", hex_of(TIME).upper()])
def test_id_may_have_a_prefix_and_capital_letters(tmp_path: Path, id_: str) -> None:
    build(tmp_path, {id_: TIME})


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (b"", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "not empty"),
        ({"a" * 40: TIME}, "not a SHA-256 hash of 64 hexadecimal digits; set `hashAlgorithm: 'sha256'`"),
        ({"a" * 64: TIME}, f"the SHA-256 of the document is {hex_of(TIME)}; generate the file again"),
        ({hex_of(TIME): {"query": TIME}}, "the document is not a string"),
        ({hex_of("{"): "{"}, "Syntax Error"),
        ({hex_of("{ concer { id } }"): "{ concer { id } }"}, "Cannot query field 'concer'"),
        ({hex_of("{ __schema { description } }"): "{ __schema { description } }"}, "does not show its schema"),
        ({hex_of(COSTLY): COSTLY}, "operation Costly costs "),
    ],
)
def test_error_names_the_problem(tmp_path: Path, listed: Any, words: str) -> None:
    with pytest.raises(TrustedDocumentsError) as caught:
        build(tmp_path, listed)
    assert words in str(caught.value)


def test_start_error_names_all_problems_with_their_ids(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    listed = {hex_of(TIME): TIME, "b" * 64: TIME, hex_of("{ a b }"): "{ a b }", "c": 1}
    file.write_bytes(orjson.dumps(listed))
    with pytest.raises(SettingsError) as caught:
        create_app(Settings(trusted_documents=file))
    first, *problems = str(caught.value).splitlines()
    assert first == f"ONSALE_TRUSTED_DOCUMENTS is '{file}', and it has problems:"
    assert [problem.split(": ")[0].strip("'") for problem in problems] == [
        "b" * 64,
        hex_of("{ a b }"),
        hex_of("{ a b }"),
        "c",
        "c",
    ]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (LimitSettings(cost=30), "operation Page costs 31, and the limit is 30"),
        (LimitSettings(depth=2), "This document has more than 2 levels of nesting"),
        (LimitSettings(document_characters=20), "This document has more than 20 characters"),
    ],
    ids=["cost", "depth", "characters"],
)
def test_error_names_the_limit_that_a_trusted_document_exceeds(
    tmp_path: Path, limit: LimitSettings, words: str
) -> None:
    text, file = "query Page { concerts { nodes { id } } }", tmp_path / "list.json"
    file.write_bytes(orjson.dumps({hex_of(text): text}))
    create_app(Settings(trusted_documents=file))
    with pytest.raises(SettingsError) as caught:
        create_app(Settings(trusted_documents=file, limit=limit))
    assert words in str(caught.value)


def test_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        create_app(Settings(trusted_documents=tmp_path / "none.json"))


OTHER, THIRD = "query Other { __typename }", "query Third { __typename }"


def shop_rules(tmp_path: Path, **rules: Any) -> DocumentRules:
    """Return rules with a shop whose only document is `OTHER`."""
    file = tmp_path / "shop.json"
    file.write_bytes(orjson.dumps({hex_of(OTHER): OTHER}))
    return DocumentRules(shop_file=file, **rules)


async def is_known(rules: DocumentRules, text: str) -> bool:
    """Return whether a new process runs the document by its hash alone."""
    operation = Operation(None, {}, None, hash_document(text))
    answer = await build_engine(rules).executor.execute(operation, WITHOUT_STORES)
    return "data" in answer.payload


async def test_documents_of_the_shop_join_the_trusted_ones(tmp_path: Path) -> None:
    trusted = tmp_path / "list.json"
    trusted.write_bytes(orjson.dumps({hex_of(TYPE): TYPE}))
    rules = shop_rules(tmp_path, trusted_file=trusted)
    assert [await is_known(rules, text) for text in (TYPE, OTHER, THIRD)] == [True, True, False]


@pytest.mark.parametrize("persisted_bytes", [0, 1_000_000])
async def test_documents_of_the_shop_are_known_without_registration(tmp_path: Path, persisted_bytes: int) -> None:
    rules = shop_rules(tmp_path, persisted_bytes=persisted_bytes)
    assert [await is_known(rules, text) for text in (OTHER, THIRD)] == [True, False]


def test_error_names_the_file_of_the_shop(tmp_path: Path) -> None:
    rules = shop_rules(tmp_path, limits=OperationLimits(document_characters=10))
    with pytest.raises(TrustedDocumentsError) as caught:
        build_engine(rules)
    assert caught.value.path == rules.shop_file
