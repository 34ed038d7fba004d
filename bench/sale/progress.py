"""One line updated in place on a terminal, a plain line every few seconds on any other output."""

import asyncio
import sys
import time

from bench.sale.ledger import Ledger
from bench.sale.stock_poller import StockPoller

BAR_WIDTH = 30
ON_TERMINAL_EVERY_S = 0.2
ELSEWHERE_EVERY_S = 5.0


async def show_progress(ledger: Ledger, stock_poller: StockPoller, *, goal: int) -> None:
    """Show the progress until cancelled."""
    on_terminal = sys.stderr.isatty()
    started = time.monotonic()
    try:
        while True:
            line = progress_line(ledger, stock_poller.waiting, goal=goal, elapsed_s=time.monotonic() - started)
            say(f"\r{line}\x1b[K" if on_terminal else f"{line}\n")
            await asyncio.sleep(ON_TERMINAL_EVERY_S if on_terminal else ELSEWHERE_EVERY_S)
    finally:
        if on_terminal:
            say("\r\x1b[K")


def progress_line(ledger: Ledger, waiting: int, *, goal: int, elapsed_s: float) -> str:
    full = min(ledger.sold_units * BAR_WIDTH // max(goal, 1), BAR_WIDTH)
    bar = "#" * full + "." * (BAR_WIDTH - full)
    inside = ledger.arrived - ledger.left
    return (
        f"[{bar}] {ledger.sold_units:,}/{goal:,} sold · {ledger.arrived:,} came · {inside:,} are here, "
        f"{ledger.line.waiting:,} in line, {waiting:,} at the board · {ledger.retried.total():,} retries · "
        f"{elapsed_s:.0f} s"
    )


def say(text: str) -> None:
    """Write to standard error: standard output is for the result."""
    sys.stderr.write(text)
    sys.stderr.flush()
