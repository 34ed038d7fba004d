"""Idempotency keys, with Stripe's rules: the first answer of a request that began to run is kept
for 24 hours, even if it is an error, and is given again to the same request.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from payments.sandbox.errors import ApiError
from payments.sandbox.records import Records

KEPT_S = 24 * 3_600
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class SavedAnswer:
    request_id: str
    status: int
    body: bytes


class IdempotencyKeys:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._running = set[str]()

    def begin(self, key: str, path: str, body: bytes) -> SavedAnswer | None:
        """Return the answer that is kept for the request, or None if it must run now.

        Raises ApiError if the key is too long, in use, or was used for another request.
        """
        if len(key) > MAX_KEY_LENGTH:
            raise _refuse(400, f"The maximum length of an idempotency key is {MAX_KEY_LENGTH} characters.")
        if key in self._running:
            raise _refuse(
                409,
                f"There is currently another in-progress request using this Idempotent Key: {key}. Try again later.",
                code="idempotency_key_in_use",
            )
        rows = self._records.database.read(
            "SELECT path, digest, request_id, status, body FROM keys WHERE key = ? AND used_at > ?",
            (key, self._records.clock.now() - KEPT_S),
        )
        if not rows:
            self._running.add(key)
            return None
        known_path, digest, request_id, status, answer = rows[0]
        assert isinstance(known_path, str)
        if known_path != path:
            raise _refuse(
                400,
                "Keys for idempotent requests can only be used for the same endpoint they were first used for"
                f" ('{path}' vs '{known_path}'). Try using a key other than '{key}' if you meant to execute a"
                " different request.",
            )
        if digest != _digest(body):
            raise _refuse(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with."
                f" Try using a key other than '{key}' if you meant to execute a different request.",
            )
        assert isinstance(status, int)
        assert isinstance(answer, bytes)
        return SavedAnswer(str(request_id), status, answer)

    def save(self, key: str, path: str, body: bytes, answer: SavedAnswer) -> None:
        self._records.database.write(
            "INSERT OR REPLACE INTO keys (key, path, digest, request_id, status, body, used_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                path,
                _digest(body),
                answer.request_id,
                answer.status,
                answer.body,
                self._records.clock.now(),
            ),
        )

    def end(self, key: str) -> None:
        self._running.discard(key)

    def forget(self, *, all_keys: bool = False) -> int:
        """Forget the keys that are over a day old, or all of them, and return their number."""
        limit = float("inf") if all_keys else self._records.clock.now() - KEPT_S
        return self._records.database.write("DELETE FROM keys WHERE used_at <= ?", (limit,))


def _digest(body: bytes) -> bytes:
    # The order of the parameters does not matter.
    return hashlib.sha256(b"&".join(sorted(body.split(b"&")))).digest()


def _refuse(status: int, message: str, *, code: str | None = None) -> ApiError:
    details: dict[str, Any] = {} if code is None else {"code": code}
    return ApiError(status, "idempotency_error", message, **details)
