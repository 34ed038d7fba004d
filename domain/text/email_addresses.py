"""Checks email addresses with the email-validator package, without contacting a server.

Only a message sent to an address can prove that it works. Domain names that have a single label or
are reserved for one host or network, such as `localhost`, are refused, because a ticket must reach
its buyer.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from domain.inputs.problems import FieldProblem, InputRule
from domain.text.characters import IGNORABLE, clean_line, line_problems

MAX_EMAIL = 254
# Domain name rules silently drop these characters, so the stored address would differ from the
# typed text.
_IGNORED = re.compile(f"[{IGNORABLE}]")
MAX_LOCAL_BYTES = 64
_CACHE_SIZE = 1_024


def clean_email(text: str) -> str:
    """Return a valid address as it is stored."""
    return _read(clean_line(text))[0]


def ascii_email(text: str) -> str | None:
    """Return the ASCII form of a stored address, which every mail server understands, or None if
    its local part has no ASCII form.
    """
    try:
        return validate_email(text, check_deliverability=False, strict=True).ascii_email
    except EmailNotValidError:
        return None


def email_problems(path: str, text: str) -> Iterator[FieldProblem]:
    """Yield the first problem with an address, if any."""
    found = list(line_problems(path, text, longest=MAX_EMAIL))
    if not found and (problem := _read(clean_line(text))[1]):
        found.append(FieldProblem(path, problem, InputRule.INVALID_FORMAT))
    yield from found


@lru_cache(_CACHE_SIZE)
def _read(text: str) -> tuple[str, str]:
    """Return the normalized address and the problem; one of them is empty.

    The result is cached, because an address is checked, then cleaned, and checked again with each
    repeated request.
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
