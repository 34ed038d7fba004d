"""The endpoints of Stripe's API that Onsale and its buyers need."""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from payments.sandbox.bank import disputes, intents, refunds
from payments.sandbox.bank.cards import Card, card_named, card_numbered
from payments.sandbox.bank.documents import Document
from payments.sandbox.database import Value
from payments.sandbox.errors import invalid, missing_parameter, not_found
from payments.sandbox.forms import Form
from payments.sandbox.records import Cause, Records

MAX_PAGE = 100
DEFAULT_PAGE = 10


@dataclass(frozen=True, slots=True)
class Call:
    records: Records
    form: Form
    identifier: str
    """The id in the path, or an empty string."""
    cause: Cause
    is_public: bool = False
    """Whether the caller has only the publishable key and must know the client secret."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    operation: str
    run: Callable[[Call], Document]
    parameters: frozenset[str]
    is_public: bool = False


def create_intent(call: Call) -> Document:
    form = call.form
    amount = form.integer("amount")
    if amount is None:
        raise missing_parameter("amount")
    types = form.items("payment_method_types")
    if types not in ([], ["card"]):
        raise invalid(f"The sandbox has only the payment method type card, not {types}.", param="payment_method_types")
    intent = intents.create(
        call.records,
        call.cause,
        amount=amount,
        currency=form.required("currency"),
        metadata=form.metadata(),
        description=form.text("description"),
        receipt_email=form.text("receipt_email"),
    )
    if form.boolean("confirm"):
        return intents.confirm(call.records, intent, _card(form), call.cause)
    return intent


def get_intent(call: Call) -> Document:
    return _find_intent(call)


def confirm_intent(call: Call) -> Document:
    return intents.confirm(call.records, _find_intent(call), _card(call.form), call.cause)


def cancel_intent(call: Call) -> Document:
    return intents.cancel(call.records, _find_intent(call), call.form.text("cancellation_reason"), call.cause)


def create_refund(call: Call) -> Document:
    form = call.form
    return refunds.create(
        call.records,
        call.cause,
        find_charge(call.records, form),
        amount=form.integer("amount"),
        reason=form.text("reason"),
        metadata=form.metadata(),
    )


def update_dispute(call: Call) -> Document:
    """Store evidence. As at Stripe, the test evidence `winning_evidence` or `losing_evidence`
    decides the dispute.
    """
    dispute = find_document(call, "dispute")
    evidence = call.form.mapping("evidence")
    dispute["evidence"] |= evidence
    call.records.put(dispute)
    match evidence.get("uncategorized_text"):
        case "winning_evidence":
            return disputes.close(call.records, dispute, is_won=True, cause=call.cause)
        case "losing_evidence":
            return disputes.close(call.records, dispute, is_won=False, cause=call.cause)
    return dispute


def close_dispute(call: Call) -> Document:
    """Accept a dispute as lost."""
    return disputes.close(call.records, find_document(call, "dispute"), is_won=False, cause=call.cause)


def find_document(call: Call, kind: str) -> Document:
    document = call.records.find(kind, call.identifier)
    if document is None:
        raise not_found(kind, call.identifier, param="id")
    return document


def find_charge(records: Records, form: Form) -> Document:
    """Return the charge that `charge` or `payment_intent` names. Raises ApiError."""
    identifier = form.text("charge")
    if identifier is None:
        intent_id = form.required("payment_intent")
        intent = records.find("payment_intent", intent_id)
        if intent is None:
            raise not_found("payment_intent", intent_id, param="payment_intent")
        if intent["status"] != "succeeded":
            message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
            raise invalid(message, param="payment_intent")
        identifier = intent["latest_charge"]
    charge = records.find("charge", identifier or "")
    if charge is None:
        raise not_found("charge", identifier or "", param="charge")
    return charge


def _find_intent(call: Call) -> Document:
    intent = call.records.find("payment_intent", call.identifier)
    if intent is None:
        raise not_found("payment_intent", call.identifier, param="intent")
    secret = call.form.text("client_secret")
    if (call.is_public or secret) and not compare_digest((secret or "").encode(), intent["client_secret"].encode()):
        message = "The client_secret provided does not match the client_secret associated with the PaymentIntent."
        raise invalid(message, param="client_secret", code="payment_intent_invalid_parameter")
    return intent


def _card(form: Form) -> Card:
    number = form.text("payment_method_data[card][number]")
    return card_numbered(number) if number else card_named(form.required("payment_method"))


def _getter(kind: str) -> Callable[[Call], Document]:
    return lambda call: find_document(call, kind)


def _lister(kind: str, url: str) -> Callable[[Call], Document]:
    return lambda call: list_documents(call, kind, url)


def list_documents(call: Call, kind: str, url: str) -> Document:
    """Return a page of documents, newest first."""
    form = call.form
    limit = form.integer("limit") or DEFAULT_PAGE
    if not 1 <= limit <= MAX_PAGE:
        raise invalid(f"This value must be between 1 and {MAX_PAGE}.", param="limit", code="parameter_invalid_integer")
    conditions, values = ["kind = ?"], list[Value]([kind])

    def add(condition: str, *of: Value) -> None:
        conditions.append(condition)
        values.extend(of)

    for suffix, operator in (("", "="), ("[gt]", ">"), ("[gte]", ">="), ("[lt]", "<"), ("[lte]", "<=")):
        at = form.integer(f"created{suffix}")
        if at is not None:
            add(f"created {operator} ?", at)
    if (intent := form.text("payment_intent")) is not None:
        add("intent = ?", intent)
    if (charge := form.text("charge")) is not None:
        add("json_extract(CAST(body AS TEXT), '$.charge') = ?", charge)
    types = [*form.items("types"), *([form.required("type")] if form.text("type") else [])]
    if types:
        marks = ", ".join("?" * len(types))
        add(f"json_extract(CAST(body AS TEXT), '$.type') IN ({marks})", *types)
    if (cursor := form.text("starting_after")) is not None:
        number = call.records.number_of(cursor)
        if number is None:
            raise not_found(kind, cursor, param="starting_after")
        add("number < ?", number)
    found = call.records.select_documents(conditions, values, limit + 1)
    return {"object": "list", "data": found[:limit], "has_more": len(found) > limit, "url": url}


def expand(records: Records, document: Document, paths: list[str]) -> Document:
    """Replace ids by the documents they name, as in `latest_charge` or `data.latest_charge`."""
    for path in paths:
        _expand(records, document, path.split("."))
    return document


def _expand(records: Records, document: Document, path: list[str]) -> None:
    name, *rest = path
    value = document.get(name)
    if isinstance(value, str):
        value = document[name] = records.find_any(value) or value
    for item in value if isinstance(value, list) else [value]:
        if rest and isinstance(item, dict):
            _expand(records, item, rest)


def _parameters(*names: str) -> frozenset[str]:
    return frozenset({"expand", *names})


_LIST = ("limit", "starting_after", "created")
_CONFIRM = ("payment_method", "payment_method_data", "return_url", "use_stripe_sdk")
_CREATE = ("amount", "currency", "description", "receipt_email", "metadata", "payment_method_types")

# The id in a path is replaced by an asterisk.
ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "payment_intents"): Endpoint(
        "create_intent", create_intent, _parameters(*_CREATE, *_CONFIRM, "confirm", "statement_descriptor_suffix")
    ),
    ("GET", "payment_intents"): Endpoint(
        "list_intents", _lister("payment_intent", "/v1/payment_intents"), _parameters(*_LIST)
    ),
    ("GET", "payment_intents/*"): Endpoint("get_intent", get_intent, _parameters("client_secret"), is_public=True),
    ("POST", "payment_intents/*/confirm"): Endpoint(
        "confirm_intent", confirm_intent, _parameters("client_secret", *_CONFIRM), is_public=True
    ),
    ("POST", "payment_intents/*/cancel"): Endpoint("cancel_intent", cancel_intent, _parameters("cancellation_reason")),
    ("POST", "refunds"): Endpoint(
        "create_refund", create_refund, _parameters("payment_intent", "charge", "amount", "reason", "metadata")
    ),
    ("GET", "refunds"): Endpoint(
        "list_refunds", _lister("refund", "/v1/refunds"), _parameters(*_LIST, "payment_intent", "charge")
    ),
    ("GET", "refunds/*"): Endpoint("get_refund", _getter("refund"), _parameters()),
    ("GET", "disputes"): Endpoint(
        "list_disputes", _lister("dispute", "/v1/disputes"), _parameters(*_LIST, "payment_intent", "charge")
    ),
    ("GET", "disputes/*"): Endpoint("get_dispute", _getter("dispute"), _parameters()),
    ("POST", "disputes/*"): Endpoint("update_dispute", update_dispute, _parameters("evidence", "submit")),
    ("POST", "disputes/*/close"): Endpoint("close_dispute", close_dispute, _parameters()),
    ("GET", "charges"): Endpoint(
        "list_charges", _lister("charge", "/v1/charges"), _parameters(*_LIST, "payment_intent")
    ),
    ("GET", "charges/*"): Endpoint("get_charge", _getter("charge"), _parameters()),
    ("GET", "events"): Endpoint("list_events", _lister("event", "/v1/events"), _parameters(*_LIST, "type", "types")),
    ("GET", "events/*"): Endpoint("get_event", _getter("event"), _parameters()),
}
