"""The errors of the API, as Stripe words and classifies them."""

from typing import Any


class ApiError(Exception):
    """A refusal with Stripe's error object as its body.

    `is_final` says whether the refusal is stored under the idempotency key of its request. A
    request that was refused before it began to run can be repeated with the same key.
    """

    def __init__(self, status: int, kind: str, message: str, *, is_final: bool = False, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.is_final = is_final
        self.body: dict[str, Any] = {"error": {**details, "message": message, "type": kind}}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the error of a request with wrong parameters."""
    details: dict[str, Any] = {name: value for name, value in (("code", code), ("param", param)) if value is not None}
    return ApiError(400, "invalid_request_error", message, **details)


def missing_parameter(name: str) -> ApiError:
    return invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")


def not_found(kind: str, identifier: str, *, param: str) -> ApiError:
    message = f"No such {kind}: '{identifier}'"
    return ApiError(404, "invalid_request_error", message, code="resource_missing", param=param)


def wrong_state(message: str, *, code: str, **details: Any) -> ApiError:
    """Return the error of a request that does not fit the state of its object."""
    return ApiError(400, "invalid_request_error", message, is_final=True, code=code, **details)
