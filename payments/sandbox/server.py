"""The HTTP side of the sandbox, an ASGI application: API keys, faults, idempotency, and answers
that are sent only after the database has been written.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from payments.sandbox import pay_page
from payments.sandbox.api import ENDPOINTS, Call, Endpoint, expand
from payments.sandbox.bank.documents import Document, new_id
from payments.sandbox.bank.scheduler import BankScheduler
from payments.sandbox.control import Controls
from payments.sandbox.database import NotSaved
from payments.sandbox.errors import ApiError
from payments.sandbox.faults import Fault, FaultKind, Faults
from payments.sandbox.forms import Form
from payments.sandbox.keys import IdempotencyKeys, SavedAnswer
from payments.sandbox.records import Cause, Records
from payments.sandbox.webhooks.sender import WebhookSender
from payments.stripe import API_VERSION

MAX_BODY_BYTES = 65_536

Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]
Headers = dict[bytes, bytes]

_SERVER_ERROR = ApiError(500, "api_error", "An unknown error occurred in the sandbox.", is_final=True)
_FAILURES = {
    FaultKind.ERROR_BEFORE: _SERVER_ERROR,
    FaultKind.UNAVAILABLE: ApiError(503, "api_error", "The service is temporarily unavailable."),
    FaultKind.RATE_LIMIT: ApiError(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit"),
}
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", b"authorization, content-type, idempotency-key, stripe-version"),
    (b"access-control-max-age", b"300"),
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    is_cut: bool = False
    """Whether the connection is closed before the body is sent."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    secret: str
    publishable: str


class Sandbox:
    """The ASGI application. The caller runs `bank` and `webhooks` beside it."""

    def __init__(self, records: Records, api_keys: ApiKeys) -> None:
        self.bank = BankScheduler(records)
        self.webhooks = WebhookSender(records)
        self._records = records
        self._api_keys = api_keys
        self._faults = Faults()
        self._keys = IdempotencyKeys(records)
        self._controls = Controls(records, self._faults, self._keys, self.bank, self.webhooks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        content_length = len(answer.body) + (1 if answer.is_cut else 0)
        headers = [*answer.headers, (b"content-length", b"%d" % content_length)]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if not answer.is_cut:
            await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        body = await _read_body(receive)
        try:
            if body is None:
                raise ApiError(413, "invalid_request_error", f"The body is longer than {MAX_BODY_BYTES} bytes.")
            if method == "OPTIONS":
                return Answer(204, b"", _CORS)
            _, area, *rest = path.split("/")
            query = scope["query_string"]
            if area == "pay" and len(rest) == 1:
                return await self._pay(method, rest[0], query, body)
            if (method, path) == ("GET", "/"):
                return Answer(200, pay_page.cards_page(), pay_page.HEADERS)
            identifier = rest[1] if len(rest) > 1 else ""
            pattern = "/".join([rest[0], "*", *rest[2:]]) if identifier else "/".join(rest)
            headers = dict(scope["headers"])
            form = Form(query if method == "GET" else body)
            call = Call(self._records, form, identifier, Cause(new_id("req")))
            if area == "v1" and (endpoint := ENDPOINTS.get((method, pattern))):
                return await self._call_api(endpoint, call, path, headers, body)
            if area == "sandbox" and (control := self._controls.find(method, pattern)):
                self._authorize(headers, call, allows_public=False)
                return await self._save(lambda: _json(200, control(call)))
            raise ApiError(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")
        except ApiError as error:
            return _json(error.status, error.body)

    async def _call_api(self, endpoint: Endpoint, call: Call, path: str, headers: Headers, body: bytes) -> Answer:
        call = self._authorize(headers, call, allows_public=endpoint.is_public)
        fault = self._faults.take(endpoint.operation)
        key = headers.get(b"idempotency-key", b"").decode("latin-1") if body or b"idempotency-key" in headers else ""
        if not key:
            await _pause(fault, FaultKind.SLOW)
            return await self._finish(fault, await self._save(lambda: self._run(endpoint, call, fault)[0]))
        saved = self._keys.begin(key, path, body)
        if saved is not None:
            await self._records.database.saved()
            return _replayed(saved, key)
        try:
            await _pause(fault, FaultKind.SLOW)
            call = replace(call, cause=Cause(call.cause.request_id, key))
            answer = await self._save(lambda: self._run_once(endpoint, call, fault, path, body))
            return await self._finish(fault, answer)
        finally:
            self._keys.end(key)

    def _run_once(self, endpoint: Endpoint, call: Call, fault: Fault | None, path: str, body: bytes) -> Answer:
        answer, is_final = self._run(endpoint, call, fault)
        request_id, key = call.cause.request_id, call.cause.key
        assert request_id is not None
        assert key is not None
        if is_final:
            self._keys.save(key, path, body, SavedAnswer(request_id, answer.status, answer.body))
        return answer

    def _run(self, endpoint: Endpoint, call: Call, fault: Fault | None) -> tuple[Answer, bool]:
        """Return the answer, and whether it is kept under the idempotency key."""
        kind = None if fault is None else fault.kind
        try:
            if kind in (FaultKind.DOWN, FaultKind.NONSENSE):
                return Answer(200, b"<html>Bad gateway</html>", is_cut=kind is FaultKind.DOWN), False
            if kind in _FAILURES:
                raise _FAILURES[kind]
            call.form.check_names(endpoint.parameters)
            document = endpoint.run(call)
            if kind is FaultKind.ERROR_AFTER:
                raise _SERVER_ERROR
            document = expand(call.records, document, call.form.items("expand"))
            return _json(200, _public(document) if call.is_public else document, call.cause), True
        except ApiError as error:
            return _json(error.status, error.body, call.cause), error.is_final

    async def _finish(self, fault: Fault | None, answer: Answer) -> Answer:
        await _pause(fault, FaultKind.SLOW_ANSWER)
        if fault is not None and fault.kind is FaultKind.CUT:
            return replace(answer, is_cut=True)
        return answer

    async def _save(self, work: Callable[[], Answer]) -> Answer:
        """Do the work of a request, and return its answer once everything is on disk."""
        try:
            answer = work()
            await self._records.database.saved()
        except NotSaved:
            return _json(_SERVER_ERROR.status, _SERVER_ERROR.body)
        except ApiError:
            raise
        except Exception:
            logger.exception("A request failed.")
            self._records.database.roll_back()
            return _json(_SERVER_ERROR.status, _SERVER_ERROR.body)
        self.bank.wake()
        self.webhooks.wake()
        return answer

    def _authorize(self, headers: Headers, call: Call, *, allows_public: bool) -> Call:
        """Return the call with the rights of its API key. Raises ApiError."""
        key = _api_key(headers.get(b"authorization", b""))
        if key == self._api_keys.secret:
            return call
        if key == self._api_keys.publishable and allows_public:
            return replace(call, is_public=True)
        if key == self._api_keys.publishable:
            message = "This API call cannot be made with a publishable API key. Please use a secret API key."
            raise ApiError(401, "invalid_request_error", message, code="secret_key_required")
        raise ApiError(401, "invalid_request_error", "Invalid API Key provided.")

    async def _pay(self, method: str, identifier: str, query: bytes, body: bytes) -> Answer:
        """Show the page of an intent, after paying it if the form was sent."""
        call = Call(self._records, Form(query), identifier, Cause(new_id("req")), is_public=True)
        try:
            refusal = await self._confirm(replace(call, form=Form(query + b"&" + body))) if method == "POST" else None
            intent = ENDPOINTS["GET", "payment_intents/*"].run(call)
        except ApiError as error:
            return Answer(error.status, pay_page.error_page(str(error)), pay_page.HEADERS)
        if refusal is not None and pay_page.is_payable(intent):
            message = orjson.loads(refusal.body)["error"]["message"]
            return Answer(refusal.status, pay_page.error_page(message), pay_page.HEADERS)
        return Answer(200, pay_page.pay_page(intent), pay_page.HEADERS)

    async def _confirm(self, call: Call) -> Answer | None:
        """Confirm an intent. Return the answer if it is neither a success nor a decline."""
        endpoint = ENDPOINTS["POST", "payment_intents/*/confirm"]
        answer = await self._save(lambda: self._run(endpoint, call, None)[0])
        return None if answer.status in (200, 402) else answer


async def _pause(fault: Fault | None, kind: FaultKind) -> None:
    if fault is not None and fault.kind is kind:
        await asyncio.sleep(fault.seconds)


def _json(status: int, document: Document, cause: Cause | None = None) -> Answer:
    headers = [(b"content-type", b"application/json"), (b"stripe-version", API_VERSION.encode()), *_CORS[:1]]
    if cause is not None and cause.request_id is not None:
        headers.append((b"request-id", cause.request_id.encode()))
    if cause is not None and cause.key is not None:
        headers.append((b"idempotency-key", cause.key.encode("latin-1")))
    return Answer(status, orjson.dumps(document), tuple(headers))


def _replayed(saved: SavedAnswer, key: str) -> Answer:
    headers = (
        (b"content-type", b"application/json"),
        (b"stripe-version", API_VERSION.encode()),
        (b"request-id", new_id("req").encode()),
        (b"original-request", saved.request_id.encode()),
        (b"idempotency-key", key.encode("latin-1")),
        (b"idempotent-replayed", b"true"),
    )
    return Answer(saved.status, saved.body, headers)


def _public(intent: Document) -> Document:
    """Return what a buyer may see of an intent."""
    return {name: value for name, value in intent.items() if name != "metadata"}


def _api_key(authorization: bytes) -> str:
    """Return the API key: a bearer token, or the user name of basic authentication."""
    scheme, _, value = authorization.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    try:
        return base64.b64decode(value).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, or None if it is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body
