"""The endpoints under /sandbox: with them, a test or a proof controls the bank, the network and the
clock. Stripe has no such endpoints.
"""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from payments.sandbox.api import Call, find_charge, find_document
from payments.sandbox.bank import disputes, intents, refunds
from payments.sandbox.bank.documents import Document
from payments.sandbox.bank.scheduler import BankScheduler
from payments.sandbox.database import Value
from payments.sandbox.errors import invalid
from payments.sandbox.faults import Fault, FaultKind, Faults
from payments.sandbox.forms import Form
from payments.sandbox.keys import IdempotencyKeys
from payments.sandbox.records import Endpoint, Records
from payments.sandbox.webhooks.connection import WebhookConnection
from payments.sandbox.webhooks.sender import WebhookSender

MAX_ENTRIES = 50_000
"""The number of ledger entries in one answer. To read more, pass `starting_after`."""
MAX_DELIVERIES = 1_000


@dataclass(frozen=True, slots=True)
class Controls:
    records: Records
    faults: Faults
    keys: IdempotencyKeys
    bank: BankScheduler
    webhooks: WebhookSender

    def find(self, method: str, path: str) -> Callable[[Call], Document] | None:
        """Return the handler of a request. The id in the path is replaced by an asterisk."""
        return {
            ("GET", "ledger"): self._read_ledger,
            ("GET", "deliveries"): self._list_deliveries,
            ("DELETE", "deliveries"): self._drop_deliveries,
            ("GET", "clock"): self._read_clock,
            ("POST", "clock"): self._advance_clock,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "keys"): self._forget_keys,
            ("POST", "webhooks"): self._change_webhooks,
            ("POST", "events/*/resend"): self._resend,
            ("POST", "payment_intents/*/settle"): self._settle_intent,
            ("POST", "refunds/*/settle"): self._settle_refund,
            ("POST", "disputes"): self._open_dispute,
            ("POST", "disputes/*/close"): self._close_dispute,
        }.get((method, path))

    def _read_ledger(self, call: Call) -> Document:
        """Return the entries in order, and the totals of the whole ledger."""
        after = call.form.integer("starting_after") or 0
        rows = self.records.database.read(
            "SELECT number, at, kind, intent, source, amount, currency, metadata FROM ledger"
            " WHERE number > ? ORDER BY number LIMIT ?",
            (after, MAX_ENTRIES + 1),
        )
        return {
            "entries": [_entry(row) for row in rows[:MAX_ENTRIES]],
            "has_more": len(rows) > MAX_ENTRIES,
            "totals": self._read_totals(),
        }

    def _read_totals(self) -> Document:
        totals: Document = {}
        statement = "SELECT currency, kind, sum(amount), count(*) FROM ledger GROUP BY currency, kind"
        for currency, kind, amount, count in self.records.database.read(statement):
            totals.setdefault(str(currency), {})[str(kind)] = {"amount": amount, "count": count}
        return totals

    def _list_deliveries(self, call: Call) -> Document:
        """Return the webhooks that have not been accepted yet."""
        rows = self.records.database.read(
            "SELECT event, tries, due_at, problem FROM deliveries ORDER BY number LIMIT ?", (MAX_DELIVERIES,)
        )
        names = ("event", "tries", "due_at", "problem")
        return {"pending": [dict(zip(names, row, strict=True)) for row in rows]}

    def _drop_deliveries(self, call: Call) -> Document:
        return {"dropped": self.records.database.write("DELETE FROM deliveries")}

    def _read_clock(self, call: Call) -> Document:
        return {"now": self.records.clock.now()}

    def _advance_clock(self, call: Call) -> Document:
        self.records.advance_clock(call.form.number("seconds", 0.0))
        self.keys.forget()
        return self._read_clock(call)

    def _add_fault(self, call: Call) -> Document:
        form = call.form
        kind = form.required("kind")
        if kind not in list(FaultKind):
            raise invalid(f"Invalid kind: must be one of {', '.join(FaultKind)}", param="kind")
        count = form.integer("count")
        fault = Fault(
            FaultKind(kind),
            operation=form.text("operation"),
            remaining=None if count == 0 else count or 1,
            seconds=form.number("seconds", 0.0),
            probability=form.number("probability", 1.0),
        )
        try:
            self.faults.add(fault)
        except ValueError as error:
            raise invalid(str(error)) from error
        return {}

    def _clear_faults(self, call: Call) -> Document:
        self.faults.clear()
        self.records.duplicates = 0
        return {}

    def _forget_keys(self, call: Call) -> Document:
        return {"forgotten": self.keys.forget(all_keys=True)}

    def _change_webhooks(self, call: Call) -> Document:
        """Change the receiver, its secret and its events, pause the sending, or send duplicates."""
        form, old = call.form, self.records.endpoint
        url = form.text("url") or old.url
        if url != old.url:
            check_receiver(url)
        events = frozenset(form.items("events")) or old.events
        self.records.endpoint = Endpoint(url, form.text("secret") or old.secret, events)
        if url != old.url:
            self.webhooks.change_receiver()
        paused = form.boolean("paused")
        if paused is not None:
            self.webhooks.is_paused = paused
        self.records.duplicates = form.integer("duplicates") or self.records.duplicates
        return {}

    def _resend(self, call: Call) -> Document:
        event = find_document(call, "event")
        self.records.add_delivery(event["id"])
        return event

    def _settle_intent(self, call: Call) -> Document:
        succeeds = _outcome(call.form, yes="succeeded", no="failed")
        return intents.settle(self.records, find_document(call, "payment_intent"), succeeds=succeeds)

    def _settle_refund(self, call: Call) -> Document:
        succeeds = _outcome(call.form, yes="succeeded", no="failed")
        return refunds.settle(self.records, find_document(call, "refund"), succeeds=succeeds)

    def _open_dispute(self, call: Call) -> Document:
        charge = find_charge(self.records, call.form)
        reason = call.form.text("reason") or "fraudulent"
        return disputes.open_dispute(self.records, charge, reason=reason, amount=call.form.integer("amount"))

    def _close_dispute(self, call: Call) -> Document:
        is_won = _outcome(call.form, yes="won", no="lost")
        return disputes.close(self.records, find_document(call, "dispute"), is_won=is_won)


def check_receiver(url: str | None) -> None:
    """Raise ApiError if webhooks cannot be sent to the URL."""
    if url is None:
        return
    try:
        WebhookConnection(url)
    except ValueError as error:
        raise invalid(str(error), param="url") from error


def _outcome(form: Form, *, yes: str, no: str) -> bool:
    value = form.required("outcome")
    if value not in (yes, no):
        raise invalid(f"Invalid outcome: must be {yes} or {no}", param="outcome")
    return value == yes


def _entry(row: tuple[Value, ...]) -> Document:
    *values, metadata = row
    assert isinstance(metadata, bytes)
    names = ("number", "at", "kind", "payment_intent", "source", "amount", "currency")
    return {**dict(zip(names, values, strict=True)), "metadata": orjson.loads(metadata)}
