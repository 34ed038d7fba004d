"""Reads the parameters of an OAuth request.

Requests are refused if they are too large, repeat a parameter, or contain characters that the
protocol does not allow.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import InvalidRequestError
from starlette.requests import Request

MAX_BODY_BYTES = 16_384
"""The maximum size of a body. The largest legitimate request has an ID token of 2 KiB."""
MAX_FIELDS = 32
CREDENTIALS = ("username", "password")
FORM = "application/x-www-form-urlencoded"

# Authlib echoes these in error descriptions and fails on characters that RFC 6749 forbids there
# (quotes, accents).
_ECHOED = ("client_id", "redirect_uri", "response_type", "grant_type", "scope")
_SAFE_TO_ECHO = re.compile(r"[ !#-\[\]-~]*")


async def read_parameters(request: Request) -> dict[str, str]:
    """Return the parameters from the body of a POST request or from the query of any other.

    Raises Authlib's InvalidRequestError.
    """
    raw = await _form_body(request) if request.method == "POST" else request.url.query.encode()
    return parse_parameters(raw)


def parse_parameters(raw: bytes) -> dict[str, str]:
    """Return the parameters. Empty values count as absent (RFC 6749 section 3.1).

    Raises Authlib's InvalidRequestError.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidRequestError(f"The parameters must be {FORM} in UTF-8 with at most {MAX_FIELDS} fields.") from None
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise InvalidRequestError("A parameter appears more than once; send each once.")
    for name in _ECHOED:
        if not _SAFE_TO_ECHO.fullmatch(parameters.get(name, "")):
            raise InvalidRequestError(f"Parameter {name} contains characters that RFC 6749 does not allow.")
    return parameters


def require(parameters: Mapping[str, str], name: str) -> str:
    """Return the parameter. Raises Authlib's InvalidRequestError if it is absent."""
    if name not in parameters:
        raise InvalidRequestError(f"Parameter {name} is missing.")
    return parameters[name]


async def _form_body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError(f"Send the parameters as {FORM}.", status_code=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequestError(f"The body has more than {MAX_BODY_BYTES} bytes.", status_code=413)
    return bytes(body)
