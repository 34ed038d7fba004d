"""The report on a sale: the ledger, the verdicts, and any reasons why the sale failed."""

from collections.abc import Iterator

from bench.clients.ledger import table
from proofs.sale.records.invariants import Verdict, oversold_units
from proofs.sale.sale import Plan, Result

MAX_ROWS = 20
"""The maximum number of rows for each check; a failed sale may have thousands."""


def failures(plan: Plan, result: Result) -> list[str]:
    """Return the reasons why the sale failed; the list is empty if it did not."""
    found = [f"{verdict.invariant}: {len(verdict.offending)} rows" for verdict in result.verdicts if verdict.offending]
    if result.cut_short:
        found.append(result.cut_short)
    if result.ledger.surprises:
        found.append(f"{len(result.ledger.surprises)} answers that must never occur")
    if result.ledger.sold_units != plan.goal:
        found.append(f"{result.ledger.sold_units:,} tickets sold, not {plan.goal:,}")
    return found


def report(plan: Plan, result: Result) -> str:
    failed = failures(plan, result)
    lines = [
        table(result.ledger),
        "",
        *(line for verdict in result.verdicts for line in _verdict(verdict)),
        *_rows("answers that must never occur", result.ledger.surprises),
        "",
        f"{result.ledger.sold_units:,} of {plan.stock:,} sold, {oversold_units(result.dump)} oversold, "
        f"to {len(plan.people):,} people in {result.lasted_s:.0f} s",
        *(f"FAILED: {reason}" for reason in failed),
    ]
    return "\n".join(lines)


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield f"{'FAIL' if verdict.offending else 'ok':<9}{verdict.invariant}"
    yield from _some(verdict.offending)


def _rows(title: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"{'FAIL':<9}{title}"
        yield from _some(tuple(rows))


def _some(rows: tuple[str, ...]) -> Iterator[str]:
    yield from (f"         {row}" for row in rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        yield f"         … and {len(rows) - MAX_ROWS:,} more"
