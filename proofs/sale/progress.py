"""Shows the progress of a sale.

On a terminal, one line is updated in place; elsewhere, a line is printed every few seconds.
"""

import asyncio
import sys
import time

from bench.clients.console import write_status
from bench.clients.ledger import Ledger
from proofs.sale.buyers.stock_poller import StockPoller

BAR_WIDTH = 30
TERMINAL_INTERVAL_S = 0.2
PLAIN_INTERVAL_S = 5.0


async def show_progress(ledger: Ledger, stock_poller: StockPoller, *, goal: int) -> None:
    """Show the progress until canceled."""
    on_terminal = sys.stderr.isatty()
    started = time.monotonic()
    try:
        while True:
            line = progress_line(ledger, stock_poller.waiting_count, goal=goal, elapsed_s=time.monotonic() - started)
            write_status(f"\r{line}\x1b[K" if on_terminal else f"{line}\n")
            await asyncio.sleep(TERMINAL_INTERVAL_S if on_terminal else PLAIN_INTERVAL_S)
    finally:
        if on_terminal:
            write_status("\r\x1b[K")


def progress_line(ledger: Ledger, waiting: int, *, goal: int, elapsed_s: float) -> str:
    full = min(ledger.sold_units * BAR_WIDTH // max(goal, 1), BAR_WIDTH)
    bar = "#" * full + "." * (BAR_WIDTH - full)
    active = ledger.arrived - ledger.done
    return (
        f"[{bar}] {ledger.sold_units:,}/{goal:,} sold · {ledger.arrived:,} arrived · {active:,} active, "
        f"{ledger.queue.waiting:,} in the queue, {waiting:,} waiting for tickets · {ledger.retried.total():,} retries"
        f" · {elapsed_s:.0f} s"
    )
