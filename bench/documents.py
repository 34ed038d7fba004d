"""`python -m bench.documents`, run by `make bench-documents`: measures how fast documents are made.

Each document has one ticket, as most documents do, and is rendered by a pool of processes as in a
worker: PDF/UA-1 with Debian's Noto fonts. The results are added to those of `make bench-orders`.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing

from bench.clients.console import write_status
from bench.metrics import Metric, as_json, median, merge_results, p99, table
from bench.orders.__main__ import RESULTS
from domain.text.locales import Locale
from tickets.codes import CODE_CHARACTERS
from tickets.documents.content import DocumentContent, Labels, TicketContent, TicketTexts
from tickets.documents.fonts import SYSTEM_FOLDERS, missing_packages
from tickets.documents.render_pool import PROCESSES, RenderPool
from web.server import run_program

# Names in different scripts, mixed as among buyers.
HOLDERS = ("Ada Lovelace", "Zoë Łukasiewicz", "Юлия Ёжикова", "محمد عبد الله", "山田 太郎", "Ada 🎉")
WARM_UP = 20
"""The number of documents that are not measured, while processes start and read the fonts."""


def make_content(number: int, *, tickets: int = 1) -> DocumentContent:
    code = f"{number:0{CODE_CHARACTERS}}"
    texts = TicketTexts(
        concert="Goldberg Variations",
        starts="Tuesday, December 1, 2026, 8:00 PM",
        venue="Concertgebouw, Amsterdam",
        tier="Balcony",
        holder=HOLDERS[number % len(HOLDERS)],
        order="Order 0123456789AB",
        number="Ticket 1 of 1",
    )
    return DocumentContent(
        locale=Locale.EN,
        country="NL",
        title="Tickets for Goldberg Variations",
        labels=Labels("Starts", "Venue", "Category", "Name", "Show this code at the entrance."),
        tickets=(TicketContent(texts, alt="QR code of ticket 1 of 1", code=code),) * tickets,
    )


async def measure(count: int) -> list[Metric]:
    async with aclosing(RenderPool(SYSTEM_FOLDERS)) as pool:
        await _render(pool, min(WARM_UP, count))
        began = time.monotonic()
        took_ms = await _render(pool, count)
        per_s = count / (time.monotonic() - began)
        alone_ms = [await _time(pool, number) for number in range(count // 4 + 1)]
    what = f"documents with one ticket, {PROCESSES} processes that each render one at a time"
    return [
        Metric("pdf_per_s", round(per_s, 1), what, count),
        median("pdf_busy_p50_ms", took_ms, "from when a process is free to the document, at this rate"),
        p99("pdf_busy_p99_ms", took_ms, "the same"),
        median("pdf_alone_p50_ms", alone_ms, "one document at a time"),
        p99("pdf_alone_p99_ms", alone_ms, "the same"),
    ]


async def _render(pool: RenderPool, count: int) -> list[float]:
    """Render documents, one per process at a time."""
    numbers = iter(range(count))

    async def work() -> list[float]:
        return [await _time(pool, number) for number in numbers]

    return [ms for part in await asyncio.gather(*[work() for _ in range(PROCESSES)]) for ms in part]


async def _time(pool: RenderPool, number: int) -> float:
    began = time.monotonic()
    await pool.render(make_content(number), name="a measured document")
    return (time.monotonic() - began) * 1000


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.documents", description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="the number of documents")
    options = parser.parse_args(words)
    if missing := missing_packages(SYSTEM_FOLDERS):
        write_status(f"Documents could not be measured: install {' '.join(missing)}.\n")
        return 2
    load = os.getloadavg()[0]
    metrics = run_program(measure(options.count))
    sys.stdout.write(f"{table(metrics)}\nThe machine's load was {load:.1f} at the start.\n")
    merge_results(RESULTS, as_json(metrics, {}) | {"pdf_load_before": load})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
