"""`python -m workers paymentevents [list|replay]`: shows payment events that could not be applied,
or applies them now.

Replaying an event that has already been applied changes nothing. An event that fails again is kept.
"""

import argparse
import sys
from collections.abc import Sequence

from domain.payments.inbox import InboxEvent, InboxState
from payments.saga.order_payments import OrderPayments
from storage.connect import Stores
from workers.payment_events import PaymentEventsWorker

COMMAND = "paymentevents"
KEPT: tuple[InboxState, ...] = (InboxState.PARKED, InboxState.QUARANTINED, InboxState.REPORTED)
MAX_EVENTS = 1_000
"""The number of events that one call shows or replays, the oldest of each state first."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m workers {COMMAND}",
        description="Shows payment events that could not be applied, or applies them now.",
    )
    parser.add_argument("verb", nargs="?", choices=("list", "replay"), default="list")
    parser.add_argument("--state", choices=KEPT, help="only events in this state; default: all that were kept back")
    parser.add_argument(
        "--id", nargs="+", action="extend", dest="ids", metavar="ID", help="only these events; default: all"
    )
    parser.epilog = "A quarantined event belongs to the provider's other mode; it is replayed only if --id names it."
    return parser.parse_args(arguments)


async def run(stores: Stores, payments: OrderPayments, chosen: argparse.Namespace) -> int:
    """Run the command and return its exit status.

    The status is 1 if an event does not exist or was not kept back, or if a replay failed.
    """
    states: tuple[InboxState, ...] = (InboxState(chosen.state),) if chosen.state else KEPT
    if chosen.verb == "replay" and not chosen.ids:
        states = tuple(state for state in states if state is not InboxState.QUARANTINED)
    events = await stores.payment_inbox.list_kept(states, ids=chosen.ids, limit=MAX_EVENTS) if states else ()
    missing = sorted(set(chosen.ids or ()) - {event.id for event in events})
    if chosen.verb == "list":
        _print(*format_table(events))
        kept = []
    else:
        kept = await _replay(stores, payments, events)
    _print(*[f"{id_}: no event with this id was kept back" for id_ in missing])
    if len(events) == MAX_EVENTS:
        _print(f"there may be more: only {MAX_EVENTS} events are handled at a time")
    return 1 if missing or kept else 0


async def _replay(stores: Stores, payments: OrderPayments, events: Sequence[InboxEvent]) -> list[InboxEvent]:
    """Apply the events now, and return those that were not applied."""
    if not events:
        _print("no payment events to replay")
        return []
    worker = PaymentEventsWorker(payments)
    await stores.payment_inbox.reopen([event.id for event in events])
    await worker.run_once(stores)
    kept = []
    for before in events:
        event = await stores.payment_inbox.get(before.id) or before
        _print(f"{event.id}: {_result(event)}")
        if event.state not in (InboxState.APPLIED, InboxState.DROPPED):
            kept.append(event)
    return kept


def _result(event: InboxEvent) -> str:
    match event.state:
        case InboxState.APPLIED:
            return "applied"
        case InboxState.DROPPED:
            return f"dropped: {_printable(event.problem)}"
        case InboxState.NEW:
            return "not applied yet; a worker will do it"
        case _:
            return f"kept; it failed again: {_printable(event.problem)}"


def format_table(events: Sequence[InboxEvent]) -> list[str]:
    if not events:
        return ["no payment events were kept back"]
    head = ("ID", "STATE", "TYPE", "RECEIVED AT", "ORDER", "INTENT", "PROBLEM")
    rows = [head, *[_row(event) for event in events]]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return ["  ".join([*[cell.ljust(width) for cell, width in zip(row, widths, strict=False)], row[6]]) for row in rows]


def _row(event: InboxEvent) -> tuple[str, ...]:
    received_at = event.received_at.strftime("%Y-%m-%d %H:%M:%S")
    row = (event.id, event.state, event.kind, received_at, event.order_id or "-", event.intent_id or "-", event.problem)
    return tuple(_printable(cell) for cell in row)


def _printable(text: str) -> str:
    """Escape control characters, which must not reach the terminal."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
