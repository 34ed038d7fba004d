"""Reads the file of trusted documents, `{"<SHA-256>": "<document>"}`, as graphql-codegen writes it.

The file is read when a process starts. Every document in it must be valid and within the limits,
and have the hash under which it is listed; otherwise the process does not start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from domain.limits.operations import OperationLimits
from schema.execution.document_cache import Document, DocumentCache
from schema.execution.operation import cost_limit
from schema.execution.persisted_documents import DocumentHash, hash_document, parse_document_id

_LONGEST_ID_SHOWN = 80


class TrustedDocumentsError(ValueError):
    """Lists all problems of the file at `path`, one per line."""

    def __init__(self, path: Path, problems: str) -> None:
        super().__init__(problems)
        self.path = path


def read_trusted_documents(
    path: Path, cache: DocumentCache, limits: OperationLimits
) -> Mapping[DocumentHash, Document]:
    """Return the file's documents, keyed by hash. Raises TrustedDocumentsError."""
    documents: dict[DocumentHash, Document] = {}
    problems: list[str] = []
    for id_, text in _read_file(path).items():
        found = list(_find_problems(id_, text))
        if not found and isinstance(text, str):
            document = cache.read_now(text)
            found = list(_find_document_problems(document, limits))
            documents[hash_document(text)] = replace(document, is_listed=True)
        problems += [f"{id_[:_LONGEST_ID_SHOWN]!r}: {problem}" for problem in found]
    if problems:
        raise TrustedDocumentsError(path, "\n".join(problems))
    return documents


def _read_file(path: Path) -> Mapping[str, object]:
    try:
        listed = orjson.loads(path.read_bytes())
    except OSError as error:
        raise TrustedDocumentsError(path, f"the file cannot be read: {error.strerror}; check the path") from error
    except orjson.JSONDecodeError as error:
        raise TrustedDocumentsError(path, f"the file is not valid JSON in UTF-8: {error}") from error
    if not isinstance(listed, dict) or not listed:
        raise TrustedDocumentsError(
            path, "the file must be a JSON object that maps SHA-256 hashes to documents, not empty"
        )
    return listed


def _find_problems(id_: str, text: object) -> Iterator[str]:
    hash_ = parse_document_id(id_)
    if hash_ is None:
        yield "the id is not a SHA-256 hash of 64 hexadecimal digits; set `hashAlgorithm: 'sha256'` in graphql-codegen"
    if not isinstance(text, str):
        yield "the document is not a string"
    elif hash_ not in (None, hash_document(text)):
        yield f"the SHA-256 of the document is {hash_document(text).hex()}; generate the file again"


def _find_document_problems(document: Document, limits: OperationLimits) -> Iterator[str]:
    for error in document.errors:
        yield error.message
    for name, cost in document.costs.items():
        total, limit = cost.evaluate({}), cost_limit(document, limits)
        if total > limit:
            yield f"operation {name or '(without a name)'} costs {total:,}, and the limit is {limit:,}"
