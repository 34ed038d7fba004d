"""Reads and writes the sandbox's data: documents, events with their deliveries, the bank's tasks,
and the ledger.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson

from payments.sandbox.bank.documents import Document, new_event
from payments.sandbox.clock import Clock
from payments.sandbox.database import Database, Value

DEFAULT_EVENTS = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.canceled",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.closed",
    }
)
"""The events that are sent unless others are chosen. As Stripe recommends, these are the events
that the receiver handles; all others can still be listed.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that caused an event. Both fields are None if the bank caused it."""

    request_id: str | None = None
    key: str | None = None


BANK = Cause()


@dataclass(frozen=True, slots=True)
class BankTask:
    number: int
    kind: str
    document: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The receiver of webhooks. Nothing is sent if it has no URL."""

    url: str | None
    secret: str
    events: frozenset[str] = DEFAULT_EVENTS


class Records:
    def __init__(self, database: Database, endpoint: Endpoint) -> None:
        self.database = database
        self.endpoint = endpoint
        self.clock = Clock(float(self._setting("clock_offset_s") or 0.0))
        self.duplicates = 0
        """The number of upcoming events that are sent twice."""

    def now(self) -> int:
        return int(self.clock.now())

    def advance_clock(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._keep_setting("clock_offset_s", repr(self.clock.offset_s))

    def find(self, kind: str, identifier: str) -> Document | None:
        rows = self.database.read("SELECT body FROM documents WHERE id = ? AND kind = ?", (identifier, kind))
        return _decoded(rows[0][0]) if rows else None

    def find_any(self, identifier: str) -> Document | None:
        rows = self.database.read("SELECT body FROM documents WHERE id = ?", (identifier,))
        return _decoded(rows[0][0]) if rows else None

    def find_by_intent(self, kind: str, intent_id: str) -> list[Document]:
        """Return the documents about an intent, oldest first."""
        statement = "SELECT body FROM documents WHERE intent = ? AND kind = ? ORDER BY number"
        return [_decoded(body) for (body,) in self.database.read(statement, (intent_id, kind))]

    def put(self, document: Document) -> None:
        """Insert or replace a document."""
        self.database.write(
            "INSERT INTO documents (id, kind, created, intent, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                document["id"],
                document["object"],
                document["created"],
                document.get("payment_intent"),
                orjson.dumps(document),
            ),
        )

    def add_event(self, kind: str, document: Document, cause: Cause, *, copies: int = 1) -> None:
        """Store an event with the current document, and schedule its delivery."""
        event = new_event(kind, document, created=self.now(), request_id=cause.request_id, key=cause.key)
        self.put(event)
        if self.endpoint.url is None or kind not in self.endpoint.events:
            return
        if self.duplicates:
            self.duplicates -= 1
            copies += 1
        for _ in range(copies):
            self.add_delivery(event["id"])

    def add_delivery(self, event_id: str) -> None:
        now = self.clock.now()
        self.database.write(
            "INSERT INTO deliveries (event, tries, due_at, first_at, problem) VALUES (?, 0, ?, ?, '')",
            (event_id, now, now),
        )

    def add_bank_task(self, kind: str, document: Document, after_s: float) -> None:
        self.database.write(
            "INSERT INTO bank_tasks (due_at, kind, document) VALUES (?, ?, ?)",
            (self.clock.now() + after_s, kind, document["id"]),
        )

    def take_bank_tasks(self) -> list[BankTask]:
        """Remove and return the tasks that are due, earliest first."""
        statement = "SELECT number, kind, document FROM bank_tasks WHERE due_at <= ? ORDER BY due_at, number"
        rows = self.database.read(statement, (self.clock.now(),))
        tasks = [BankTask(_number(number), str(kind), str(document)) for number, kind, document in rows]
        for task in tasks:
            self.database.write("DELETE FROM bank_tasks WHERE number = ?", (task.number,))
        return tasks

    def next_bank_task_at(self) -> float | None:
        ((due_at,),) = self.database.read("SELECT min(due_at) FROM bank_tasks")
        return None if due_at is None else float(due_at)

    def add_entry(self, kind: str, source: Document, amount: int, metadata: Mapping[str, str]) -> None:
        """Append to the ledger. `amount` is negative if the money goes to the card holder."""
        self.database.write(
            "INSERT INTO ledger (at, kind, intent, source, amount, currency, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self.clock.now(),
                kind,
                source["payment_intent"],
                source["id"],
                amount,
                source["currency"],
                orjson.dumps(metadata),
            ),
        )

    def select_documents(self, conditions: Collection[str], values: Collection[Value], limit: int) -> list[Document]:
        """Return the newest documents that satisfy all conditions."""
        where = " AND ".join(conditions)
        statement = f"SELECT body FROM documents WHERE {where} ORDER BY created DESC, number DESC LIMIT ?"  # noqa: S608 - the conditions are ours
        return [_decoded(body) for (body,) in self.database.read(statement, (*values, limit))]

    def number_of(self, identifier: str) -> int | None:
        rows = self.database.read("SELECT number FROM documents WHERE id = ?", (identifier,))
        return _number(rows[0][0]) if rows else None

    def _setting(self, name: str) -> str | None:
        rows = self.database.read("SELECT value FROM settings WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def _keep_setting(self, name: str, value: str) -> None:
        self.database.write("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))


def _decoded(body: Value) -> Document:
    assert isinstance(body, bytes)
    document: Document = orjson.loads(body)
    return document


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
