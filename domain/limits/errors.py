"""The errors of calls that exceed a rate or lack a proof of work.

Refusal
├── ChallengeRequired    the queue asks for a proof of work, which is missing or not valid
└── RateLimited too many calls by a person or from an address; the error says how long to wait
"""

from domain.errors import ErrorCode, Refusal
from domain.limits.challenges import Challenge, ChallengeReason
from domain.limits.rates import LimitedCall, Rate, RateScope


class ChallengeRequired(Refusal):
    """The queue asks for a proof of work. Nothing was changed."""

    code = ErrorCode.CHALLENGE_REQUIRED

    def __init__(self, reason: ChallengeReason, challenge: Challenge) -> None:
        why = {
            ChallengeReason.MISSING: "This queue asks for a proof of work",
            ChallengeReason.INVALID: "This proof of work is not valid",
            ChallengeReason.EXPIRED: "The challenge of this proof has expired",
            ChallengeReason.USED: "The challenge of this proof was already used",
        }[reason]
        super().__init__(
            f"{why}; find a nonce for which the SHA-256 of `challenge` and the nonce begins with"
            f" {challenge.bits} zero bits, and send both as `proof`."
        )
        self.reason = reason
        self.challenge = challenge


_LIMITED_CALLS = {
    LimitedCall.JOIN_QUEUE: "joining this queue",
    LimitedCall.HOLD_TICKETS: "holding tickets",
    LimitedCall.PURCHASE_TICKETS: "buying tickets for this concert",
    LimitedCall.SYNC_ORDER_PAYMENT: "checking payments",
    LimitedCall.TRANSFER_TICKET: "transferring tickets",
    LimitedCall.CHECK_IN_TICKETS: "checking tickets in",
}


class RateLimited(Refusal):
    """The person or the address has made too many calls. Nothing was changed."""

    code = ErrorCode.RATE_LIMITED
    retryable = True

    def __init__(self, call: LimitedCall, scope: RateScope, rate: Rate, *, retry_after_s: int) -> None:
        limit = f"{rate.count:,} in {rate.seconds:,} s per {scope.lower()}"
        super().__init__(f"The limit for {_LIMITED_CALLS[call]} is {limit}; repeat the request in {retry_after_s} s.")
        self.call = call
        self.scope = scope
        self.rate = rate
        self.retry_after_s = retry_after_s
