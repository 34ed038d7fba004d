"""The test cards. The numbers and names of Stripe's own test cards mean the same here; the numbers
that begin with 40000099 are ours, for behavior that Stripe's test cards do not cover.
"""

from dataclasses import dataclass
from enum import Enum, auto

from payments.sandbox.errors import ApiError, invalid


class Outcome(Enum):
    SUCCESS = auto()
    DECLINE = auto()
    SLOW_SUCCESS = auto()
    """The payment is processing for `SLOW_S`, and then succeeds."""
    SLOW_DECLINE = auto()
    NEVER = auto()
    """The payment keeps processing until the bank is told to settle it."""
    LATE_SUCCESS = auto()
    """The payment waits for the card holder, and succeeds after `LATE_S`, even if the intent has
    been canceled by then.
    """


class RefundOutcome(Enum):
    SUCCESS = auto()
    PENDING = auto()
    """The refund is pending for `SLOW_S`, and then succeeds."""
    FAILURE = auto()
    """The refund succeeds at first, and fails after `SLOW_S`: the bank returns the money."""


SLOW_S = 5.0
LATE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    number: str
    name: str
    """The id of its ready-made payment method."""
    label: str
    outcome: Outcome = Outcome.SUCCESS
    code: str = "card_declined"
    """The error code, if the bank declines."""
    decline_code: str = "generic_decline"
    refund: RefundOutcome = RefundOutcome.SUCCESS
    dispute: str = ""
    """The reason for the dispute that follows the payment, or an empty string."""
    copies: int = 1
    """How many times the webhook about the success is sent."""

    @property
    def last4(self) -> str:
        """The last four digits. They identify a test card."""
        return self.number[-4:]


def _declined(number: str, name: str, label: str, *, code: str = "card_declined", decline_code: str = "") -> Card:
    return Card(
        number=number,
        name=name,
        label=label,
        outcome=Outcome.DECLINE,
        code=code,
        decline_code=decline_code or code,
    )


CARDS = (
    Card(number="4242424242424242", name="pm_card_visa", label="Succeeds"),
    _declined("4000000000000002", "pm_card_chargeDeclined", "Declined", decline_code="generic_decline"),
    _declined(
        "4000000000009995",
        "pm_card_chargeDeclinedInsufficientFunds",
        "Declined: insufficient funds",
        decline_code="insufficient_funds",
    ),
    _declined("4000000000009987", "pm_card_chargeDeclinedLostCard", "Declined: lost card", decline_code="lost_card"),
    _declined("4000000000000069", "pm_card_chargeDeclinedExpiredCard", "Declined: expired card", code="expired_card"),
    _declined("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", "Declined: wrong CVC", code="incorrect_cvc"),
    _declined(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        "Declined: processing error",
        code="processing_error",
    ),
    Card(
        number="4000000000000259",
        name="pm_card_createDispute",
        label="Succeeds, and is disputed as fraud",
        dispute="fraudulent",
    ),
    Card(
        number="4000000000002685",
        name="pm_card_createDisputeProductNotReceived",
        label="Succeeds, and is disputed as not received",
        dispute="product_not_received",
    ),
    Card(
        number="4000000000007726",
        name="pm_card_pendingRefund",
        label="Succeeds; its refund takes 5 s",
        refund=RefundOutcome.PENDING,
    ),
    Card(
        number="4000000000005126",
        name="pm_card_refundFail",
        label="Succeeds; its refund fails after 5 s",
        refund=RefundOutcome.FAILURE,
    ),
    Card(
        number="4000009900000103",
        name="pm_card_slow",
        label="Succeeds after 5 s of processing",
        outcome=Outcome.SLOW_SUCCESS,
    ),
    Card(
        number="4000009900000111",
        name="pm_card_slowDecline",
        label="Declined after 5 s of processing",
        outcome=Outcome.SLOW_DECLINE,
    ),
    Card(
        number="4000009900000129",
        name="pm_card_never",
        label="Never finishes processing",
        outcome=Outcome.NEVER,
    ),
    Card(
        number="4000009900000137",
        name="pm_card_lateSuccess",
        label="Succeeds after 60 s, even if canceled before",
        outcome=Outcome.LATE_SUCCESS,
    ),
    Card(
        number="4000009900000145",
        name="pm_card_duplicateWebhook",
        label="Succeeds; the webhook comes twice",
        copies=2,
    ),
)

_BY_NUMBER = {card.number: card for card in CARDS}
_BY_NAME = {card.name: card for card in CARDS}
_BY_LAST4 = {card.last4: card for card in CARDS}


def card_named(name: str) -> Card:
    """Return the card of a ready-made payment method. Raises ApiError."""
    card = _BY_NAME.get(name)
    if card is None:
        raise ApiError(
            400,
            "invalid_request_error",
            f"No such PaymentMethod: '{name}'",
            code="resource_missing",
            param="payment_method",
        )
    return card


def card_numbered(number: str) -> Card:
    """Return the card with a number, which may contain spaces. Raises ApiError."""
    card = _BY_NUMBER.get(number.replace(" ", ""))
    if card is None:
        raise invalid("This number is not one of the test cards.", param="payment_method_data[card][number]")
    return card


def card_ending(last4: str) -> Card:
    return _BY_LAST4[last4]
