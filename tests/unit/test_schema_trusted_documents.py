"""The trusted-documents file is fully checked when a process starts."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from app import create_app
from schema import DocumentRules, TrustedDocumentsError, build_engine, hash_document
from settings import LimitSettings, Settings, SettingsError

TIME = "query Time { serverTime }"
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
