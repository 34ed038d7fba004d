"""E-mail addresses, by the rules of the package email-validator and without asking any server.

Only a message sent to an address proves it. Names of a single label and those reserved for one
host or network, such as `localhost`, are refused: a ticket must reach its buyer.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from domain.errors import FieldProblem
from domain.text.characters import IGNORABLE, clean_line, line_problems

MAX_EMAIL = 254
# The rules of domain names drop these without a word, so two addresses would look different.
_IGNORED = re.compile(f"[{IGNORABLE}]")
MAX_LOCAL_BYTES = 64
_KEPT = 1_024


def clean_email(text: str) -> str:
    """Return an address without problems as it is stored."""
    return _read(clean_line(text))[0]


def email_problems(path: str, text: str) -> Iterator[FieldProblem]:
    """Yield the first problem of an address, if it has one."""
    found = list(line_problems(path, text, longest=MAX_EMAIL))
    if not found and (problem := _read(clean_line(text))[1]):
        found.append(FieldProblem(path, problem))
    yield from found


@lru_cache(_KEPT)
def _read(text: str) -> tuple[str, str]:
    """Return the normalized address, and the problem, of which one is empty.

    An address is checked once when it is refused or stored, and again by each repeated request.
    """
    if _IGNORED.search(text):
        return "", "is not an email address: it contains an invisible character; type it again"
    try:
        checked = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        return "", f"is not an email address: {_sentence(str(error))}; use the form name@example.org"
    if (count := len(checked.local_part.encode())) > MAX_LOCAL_BYTES:
        limit = f"at most {MAX_LOCAL_BYTES} are allowed"
        return "", f"is not an email address: the part before the @-sign has {count} bytes in UTF-8; {limit}"
    return checked.normalized, ""


def _sentence(message: str) -> str:
    first = message.partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]
