"""Errors for requests that never reach GraphQL.

They have the form of a GraphQL response and an appropriate HTTP status.
"""

from collections.abc import Mapping

from domain.errors import Forbidden, OnsaleError, SessionLost, TemporarilyUnavailable, Unauthenticated
from schema import SystemCode


class HttpError(Exception):
    """An error that becomes the response. `details` are added to the error's `extensions`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: SystemCode = SystemCode.BAD_USER_INPUT,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.details = details or {}

    def payload(self, request_id: str) -> dict[str, object]:
        extensions = {"code": self.code, **self.details, "requestId": request_id}
        return {"errors": [{"message": str(self), "extensions": extensions}]}


def caller_error(error: OnsaleError, *, cleared_cookie: str) -> HttpError:
    """Return the HTTP error for a caller that `auth/callers.py` has refused.

    `cleared_cookie` deletes the cookie of a lost session.
    """
    match error:
        case Unauthenticated():
            return unauthenticated_error(error)
        case SessionLost():
            headers = {"Set-Cookie": cleared_cookie}
            return HttpError(401, str(error), code=SystemCode.SESSION_LOST, headers=headers)
        case Forbidden():
            return HttpError(403, str(error), code=SystemCode.FORBIDDEN)
        case TemporarilyUnavailable():
            return unavailable_error(error)
        case _:
            raise error


def unauthenticated_error(error: Unauthenticated) -> HttpError:
    # RFC 6750: the description is printable ASCII without quotes or backslashes.
    words = "".join(letter for letter in str(error) if " " <= letter <= "~" and letter not in '"\\')
    challenge = f'Bearer realm="onsale", error="invalid_token", error_description="{words}"'
    return HttpError(401, str(error), code=SystemCode.UNAUTHENTICATED, headers={"WWW-Authenticate": challenge})


def unavailable_error(error: TemporarilyUnavailable) -> HttpError:
    seconds = error.retry_after_s
    return HttpError(
        503,
        str(error),
        code=SystemCode.UNAVAILABLE,
        headers={"Retry-After": str(seconds)},
        details={"retryable": True, "retryAfterSeconds": seconds},
    )


def internal_error(request_id: str) -> HttpError:
    return HttpError(
        500, f"An internal error occurred; report it with request id {request_id}.", code=SystemCode.INTERNAL
    )
