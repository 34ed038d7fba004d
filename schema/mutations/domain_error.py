"""The interface of the error types that represent refusals in result unions."""

import strawberry

from domain.errors import Refusal
from schema.enums import ErrorCode
from schema.strawberry_fixes import computed


@strawberry.interface(description="An expected error. `message` says what to do next.")
class DomainError:
    refusal: strawberry.Private[Refusal]

    @computed("A machine-readable code.")
    def code(self) -> ErrorCode:
        return self.refusal.code

    @computed("A message for developers: what was refused, the value, and what to do next.")
    def message(self) -> str:
        return str(self.refusal)

    @computed("Whether the same request may succeed later.")
    def retryable(self) -> bool:
        return self.refusal.retryable

    @computed("How many seconds to wait before repeating the request.")
    def retry_after_seconds(self) -> int | None:
        return self.refusal.retry_after_s
