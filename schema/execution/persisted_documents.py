"""Stores documents by hash, so later requests can send only the hash (automatic persisted queries).

Each process keeps its own, up to a fixed number of bytes. Half of the bytes are for documents that
signed-in people use, so anonymous clients cannot evict those. Anyone may use any document, because
a hash gives nothing away to a client that does not know the document. The least recently used
documents are evicted: their clients get PERSISTED_QUERY_NOT_FOUND and send the text again.
"""

import hashlib
import re
from collections import OrderedDict
from typing import NewType

DocumentHash = NewType("DocumentHash", bytes)
"""The SHA-256 hash of a document encoded as UTF-8."""

DEFAULT_BYTES = 32 * 1024 * 1024
ENTRY_BYTES = 300
"""The memory that an entry takes in addition to its characters: a hash, a string and a place in a
dict.
"""
_HEX_DIGITS = re.compile(r"[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


def hash_document(text: str) -> DocumentHash:
    return DocumentHash(hashlib.sha256(text.encode()).digest())


def parse_document_hash(digits: object) -> DocumentHash | None:
    """Return the hash that 64 hexadecimal digits represent, or None if they are malformed."""
    if not isinstance(digits, str) or not _HEX_DIGITS.fullmatch(digits):
        return None
    return DocumentHash(bytes.fromhex(digits))


def parse_document_id(id_: str) -> DocumentHash | None:
    """Return the hash in a document id: 64 hexadecimal digits, with or without `sha256:`."""
    return parse_document_hash(id_.removeprefix("sha256:"))


class PersistedDocuments:
    def __init__(self, max_bytes: int) -> None:
        self._anonymous, self._signed_in = _Share(max_bytes // 2), _Share(max_bytes // 2)

    def get(self, hash_: DocumentHash) -> str | None:
        return self._signed_in.get(hash_) or self._anonymous.get(hash_)

    def put(self, hash_: DocumentHash, text: str, *, is_signed_in: bool) -> None:
        """Keep a document, or record its use.

        Once a signed-in person uses a document, it moves to the signed-in share and stays there.
        """
        if is_signed_in:
            self._anonymous.remove(hash_)
            self._signed_in.put(hash_, text)
        elif self._signed_in.get(hash_) is None:
            self._anonymous.put(hash_, text)


class _Share:
    """Documents, ordered from the least to the most recently used."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._texts: OrderedDict[DocumentHash, str] = OrderedDict()

    def get(self, hash_: DocumentHash) -> str | None:
        return self._texts.get(hash_)

    def put(self, hash_: DocumentHash, text: str) -> None:
        """Keep a document. The given string replaces an equal one, so memory holds only one."""
        if hash_ not in self._texts:
            self._bytes += _size(text)
        self._texts[hash_] = text
        self._texts.move_to_end(hash_)
        while self._bytes > self._max_bytes:
            _, evicted = self._texts.popitem(last=False)
            self._bytes -= _size(evicted)

    def remove(self, hash_: DocumentHash) -> None:
        removed = self._texts.pop(hash_, None)
        if removed is not None:
            self._bytes -= _size(removed)


def _size(text: str) -> int:
    """Return the most memory that an entry with this text can take.

    Python stores each character in 1 byte if all are ASCII, and otherwise in up to 4.
    """
    return ENTRY_BYTES + len(text) * (1 if text.isascii() else 4)
