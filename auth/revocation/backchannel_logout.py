"""`POST /oidc/backchannel-logout`: the issuer tells us that a session has ended.

A request is answered only after a majority of the replica set has recorded the revocation. The
signed token is the only credential: cookies and Authorization headers are not read, so no page can
make a browser send a useful request, and no origin is checked.
"""

import logging
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.revocation.logout_tokens import LogoutTokenRefused, LogoutTokenVerifier
from auth.revocation.revocations import Revocations
from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import AlreadyRevoked

log = logging.getLogger(__name__)

PATH = "/oidc/backchannel-logout"
MAX_LOGOUT_BODY_BYTES = 16_384
"""The maximum size of the form; its token may take up half of that."""
_MAX_FIELDS = 16
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store"}


class _BadRequest(Exception):
    def __init__(self, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.status = status


@dataclass(frozen=True, slots=True)
class BackchannelLogout:
    """Verifies a logout token and records its revocation."""

    verifier: LogoutTokenVerifier
    revocations: Revocations

    async def answer(self, request: Request) -> Response:
        try:
            token = _logout_token(await _form(request))
            revocation = await self.verifier.verify(token)
            await self.revocations.revoke(revocation)
        except (_BadRequest, LogoutTokenRefused) as error:
            return _refusal(str(error), status=error.status if isinstance(error, _BadRequest) else 400)
        except AlreadyRevoked:
            return _refusal("The logout token was received before; each can be used only once.", status=400)
        except TemporarilyUnavailable as error:
            log.warning("a logout could not be recorded: %s", error.__cause__ or error)
            headers = {**_NO_STORE, "Retry-After": str(error.retry_after_s)}
            return JSONResponse(_body("temporarily_unavailable", "Send the logout token again later."), 503, headers)
        log.info("the issuer ended a session" if revocation.session_id else "the issuer ended a person's sessions")
        return Response(status_code=200, headers=_NO_STORE)


async def _form(request: Request) -> list[tuple[str, str]]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise _BadRequest(f"Send the logout token as {_FORM}.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_LOGOUT_BODY_BYTES:
                raise _BadRequest(f"The body has more than {MAX_LOGOUT_BODY_BYTES} bytes.", status=413)
    except ClientDisconnect:
        raise _BadRequest("The body is incomplete.") from None
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _BadRequest(f"The body must be {_FORM} in UTF-8 with at most {_MAX_FIELDS} fields.") from None


def _logout_token(form: list[tuple[str, str]]) -> str:
    tokens = [value for name, value in form if name == "logout_token"]
    if len(tokens) != 1 or not tokens[0]:
        raise _BadRequest("Send the parameter logout_token once, with the logout token.")
    return tokens[0]


def _refusal(description: str, *, status: int) -> Response:
    log.warning("a logout request was refused: %s", description)
    headers = {**_NO_STORE, "Connection": "close"} if status == 413 else _NO_STORE
    return JSONResponse(_body("invalid_request", description), status, headers)


def _body(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}


async def _answer(request: Request) -> Response:
    logout: BackchannelLogout = request.state.backchannel_logout
    return await logout.answer(request)


routes = [Route(PATH, _answer, methods=["POST"])]
