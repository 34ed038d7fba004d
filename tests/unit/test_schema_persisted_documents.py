"""Persisted documents stay within a byte limit, and anonymous clients evict only their own."""

import pytest

from schema.execution.persisted_documents import (
    ENTRY_BYTES,
    DocumentHash,
    PersistedDocuments,
    hash_document,
    parse_document_hash,
)

TEXT = "x" * 100
SIZE = ENTRY_BYTES + 100


def documents(count: int, letter: str = "x") -> list[str]:
    return [f"{number:03}".ljust(100, letter) for number in range(count)]


def put_all(persisted: PersistedDocuments, texts: list[str], *, is_signed_in: bool) -> None:
    for text in texts:
        persisted.put(hash_document(text), text, is_signed_in=is_signed_in)


def kept(persisted: PersistedDocuments, texts: list[str]) -> list[str]:
    return [text for text in texts if persisted.get(hash_document(text)) is not None]


@pytest.mark.parametrize("is_signed_in", [False, True])
def test_each_share_is_half_of_the_byte_limit(is_signed_in: bool) -> None:
    persisted, texts = PersistedDocuments(2 * 10 * SIZE), documents(11)
    put_all(persisted, texts[:10], is_signed_in=is_signed_in)
    assert kept(persisted, texts) == texts[:10]
    put_all(persisted, texts[10:], is_signed_in=is_signed_in)
    assert kept(persisted, texts) == texts[1:]


def test_slightly_lower_limit_keeps_one_fewer_document() -> None:
    persisted, texts = PersistedDocuments(2 * 10 * SIZE - 2), documents(10)
    put_all(persisted, texts, is_signed_in=False)
    assert kept(persisted, texts) == texts[1:]


def test_characters_beyond_ascii_count_as_four_bytes() -> None:
    persisted = PersistedDocuments(2 * (ENTRY_BYTES + 4 * 100))
    texts = documents(2, "é")
    put_all(persisted, texts, is_signed_in=False)
    assert kept(persisted, texts) == texts[1:]


def test_document_larger_than_its_share_is_not_kept() -> None:
    persisted = PersistedDocuments(2 * SIZE - 2)
    put_all(persisted, [TEXT], is_signed_in=True)
    assert kept(persisted, [TEXT]) == []


def test_used_document_outlives_unused_ones() -> None:
    persisted, texts = PersistedDocuments(2 * 3 * SIZE), documents(5)
    put_all(persisted, [*texts[:3], texts[0], *texts[3:]], is_signed_in=False)
    assert kept(persisted, texts) == [texts[0], texts[3], texts[4]]


def test_anonymous_clients_cannot_evict_documents_of_signed_in_people() -> None:
    persisted, signed_in, anonymous = PersistedDocuments(2 * 10 * SIZE), documents(10), documents(100, "y")
    put_all(persisted, signed_in, is_signed_in=True)
    put_all(persisted, anonymous, is_signed_in=False)
    assert kept(persisted, signed_in) == signed_in
    assert kept(persisted, anonymous) == anonymous[-10:]


def test_anonymous_use_does_not_save_a_signed_in_persons_document() -> None:
    persisted, texts = PersistedDocuments(2 * 3 * SIZE), documents(4)
    put_all(persisted, texts[:3], is_signed_in=True)
    put_all(persisted, [texts[0]], is_signed_in=False)
    put_all(persisted, texts[3:], is_signed_in=True)
    assert kept(persisted, texts) == texts[1:]


def test_document_that_a_signed_in_person_uses_moves_to_their_share() -> None:
    persisted, texts, others = PersistedDocuments(2 * 2 * SIZE), documents(2), documents(3, "y")
    put_all(persisted, texts, is_signed_in=False)
    put_all(persisted, texts[:1], is_signed_in=True)
    put_all(persisted, others, is_signed_in=False)
    assert kept(persisted, texts + others) == [texts[0], *others[1:]]


def test_newer_equal_string_replaces_the_older_one() -> None:
    persisted, again = PersistedDocuments(10 * SIZE), "".join(TEXT)
    first = "".join(list(TEXT))
    put_all(persisted, [first, again], is_signed_in=False)
    assert persisted.get(hash_document(TEXT)) is again


@pytest.mark.parametrize("digits", [None, 1, [], "", "e" * 63, "e" * 65, "g" * 64, "e" * 63 + "\n", "٣" * 64])
def test_malformed_hash_is_not_parsed(digits: object) -> None:
    assert parse_document_hash(digits) is None


@pytest.mark.parametrize("digit", ["e", "E"])
def test_hash_is_read_in_either_case(digit: str) -> None:
    assert parse_document_hash(digit * 64) == DocumentHash(b"\xee" * 32)
