"""`make bench-pages`: measures the first pages of the shop in Chromium.

Lighthouse audits the catalog and the page of a concert, as on a desktop and on a phone, five times
each. Then one page shows a concert while 1,000 other sockets watch its stock: a person holds a
ticket and releases it in turn, and the time runs until Chromium has painted the new number. The
sizes of the files that each page loads are those of the build. The results are written to
bench/results/pages.json. Chromium, the server, the stores and the clients share the machine.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from bench.clients.catalog import free_concert, open_sale
from bench.clients.console import write_status
from bench.clients.http_client import open_client
from bench.clients.ledger import Ledger, percentile
from bench.clients.servers import AppServer, app_settings, run_app, run_stores
from bench.clients.tokens import sign_in
from bench.metrics import NotMeasured
from bench.pages.chromium import find_chromium, install, package_versions, run_in_node
from bench.provenance import ROOT, SAME_INTERPRETER, describe_run, program_version
from bench.runs import Result, run_benchmark, summarize
from bench.stock_sale import HOLD, STOCK_CHANGED, store_versions
from bench.subscribers import open_subscribers
from domain.concerts import TierDraft
from web.open_files import raise_open_file_limit

RESULTS = Path(__file__).parents[1] / "results" / "pages.json"
QUICK_RESULTS = RESULTS.with_name("pages-quick.json")
"""Where a run with other options than the defaults is written, so that it replaces no result."""
SIZES = ROOT / "frontend" / "dist" / "sizes.json"
TIME_LIMIT_S = 1_800.0
PAGES = MappingProxyType({"catalog": "/", "concert": "/concerts/lantern-ferry-royal-albert-hall"})
"""The audited pages of the demo concerts. The second one has a waiting room."""
FORMS = ("desktop", "mobile")
SCORES = ("performance", "accessibility", "best_practices")
TIMINGS = ("first_contentful_paint_ms", "largest_contentful_paint_ms", "blocked_ms", "layout_shift")
STOCK = 15
"""Few enough that the page says how many tickets are left."""
SPAN = timedelta(days=1)
PAUSE_MS = 250
"""The average pause between two changes: longer than the server takes to push one."""
RELEASE = """mutation Release($input: ReleaseHoldInput!) {
  releaseHold(input: $input) { __typename ... on DomainError { code message } }
}"""


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int = 5
    sockets: int = 1_000
    changes: int = 300


DEFAULTS = Plan()


async def measure(plan: Plan) -> Result:
    chromium = find_chromium()
    await install()
    if not SIZES.exists():
        raise NotMeasured("the pages have not been built; build them with `make frontend`")
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        directory = Path(name)
        async with asyncio.timeout(TIME_LIMIT_S), run_stores(directory) as (valkey, mongod):
            settings = {**app_settings(valkey.url, mongod.url), "DEMO": "yes"}
            versions = {**store_versions(), **package_versions(), "chromium": _version_of(chromium)}
            head = describe_run(settings=settings, python=SAME_INTERPRETER, versions=versions)
            async with run_app(directory / "app", settings) as app:
                rows = [await _audit(page, form, app, chromium, plan) for page in PAGES for form in FORMS]
                pushes = await _measure_pushes(app, directory, chromium, plan)
    scores = {form: _lowest([row for row in rows if row["form"] == form]) for form in FORMS}
    sizes = json.loads(SIZES.read_text())
    return {**head, **scores, **pushes, "sizes": sizes, "rounds": plan.rounds, "rows": rows}


def _version_of(chromium: str) -> str:
    """Return the version from a line such as `Chromium 150.0.7871.124 built on Debian`."""
    return next(word for word in program_version(chromium, "--version").split() if word[0].isdigit())


async def _audit(page: str, form: str, app: AppServer, chromium: str, plan: Plan) -> Result:
    """Audit a page, and return the medians of its scores and timings."""
    rounds = []
    for number in range(plan.rounds):
        write_status(f"pages: {page}, {form}, round {number + 1} of {plan.rounds}\n")
        rounds.append(await run_in_node("lighthouse.mjs", f"http://localhost:{app.port}{PAGES[page]}", chromium, form))
    lost = sorted({audit for found in rounds for audit in found["lost"]})
    return {"page": page, "form": form, **summarize(rounds, SCORES + TIMINGS), "lost": lost}


def _lowest(rows: Sequence[Result]) -> dict[str, float]:
    """Return the lowest median of each score."""
    return {score: min(row[score]["median"] for row in rows) for score in SCORES}


async def _measure_pushes(app: AppServer, directory: Path, chromium: str, plan: Plan) -> Result:
    """Measure how fast a page shows a new number of tickets while other sockets get it, too."""
    now = datetime.now(UTC)
    draft = free_concert(STOCK, now)
    terms = replace(draft.terms, sales_end_at=now + SPAN, starts_at=now + SPAN)
    draft = replace(draft, terms=terms, tiers=(TierDraft("Standing", 0, STOCK),))
    tokens = await sign_in(app.issuer, ["olivia", "buyer1"])
    async with open_client([app.url], Ledger()) as client:
        concert = await open_sale(client, draft, tokens["olivia"])
    write_status(f"pages: {plan.changes} changes, pushed to a page and {plan.sockets:,} other sockets\n")
    watching = [(None, "127.0.0.1")] * plan.sockets
    given = {
        "url": f"http://localhost:{app.port}/concerts/{draft.slug}",
        "token": tokens["buyer1"],
        "changes": plan.changes,
        "pauseMs": PAUSE_MS,
        "concertId": concert.id,
        "tierId": concert.tier_ids[0],
        "capacity": STOCK,
        "hold": HOLD,
        "release": RELEASE,
    }
    subscribing = open_subscribers(
        watching, port=app.port, document=STOCK_CHANGED, concert_id=concert.id, directory=directory
    )
    async with subscribing:
        pushes = await run_in_node("pushes.mjs", chromium, given=given)
    return {"sockets": plan.sockets, "pushes": len(pushes), **_describe_pushes(pushes)}


def _describe_pushes(pushes: Sequence[Result]) -> Result:
    """Return percentiles of the times from the request, and from its answer, to the pixel."""
    from_request = [push["sentToPixelMs"] for push in pushes]
    from_answer = [push["answerToPixelMs"] for push in pushes]
    return {
        "push_p50_ms": round(percentile(from_request, 0.5), 1),
        "push_p99_ms": round(percentile(from_request, 0.99), 1),
        "push_max_ms": round(max(from_request), 1),
        "push_from_answer_p99_ms": round(percentile(from_answer, 0.99), 1),
    }


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.pages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULTS.rounds, help="how often each page is audited")
    parser.add_argument("--sockets", type=int, default=DEFAULTS.sockets, help="the number of other sockets")
    parser.add_argument("--changes", type=int, default=DEFAULTS.changes, help="the number of changes to the stock")
    options = parser.parse_args(words)
    raise_open_file_limit()  # the process that opens the sockets inherits the limit
    plan = Plan(options.rounds, options.sockets, options.changes)
    return run_benchmark(measure(plan), RESULTS if plan == DEFAULTS else QUICK_RESULTS, is_pinned=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
