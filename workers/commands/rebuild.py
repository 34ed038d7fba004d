"""`python -m workers rebuild CONCERT`: makes Redis agree with MongoDB again for one concert.

The concert gets a new epoch and a recovery, as after a restart of the store. Its sale pauses in the
meantime.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from domain.concerts import Concert, ConcertStatus
from domain.ids import ConcertId
from storage.connect import Stores
from storage.hot.hot_state import is_history

COMMAND = "rebuild"
WITHIN_S = 120.0
"""Far longer than a recovery takes: 50,000 orders take seconds."""
RETRY_AFTER_S = 0.3


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m workers {COMMAND}",
        description="Rebuilds the hot state of a concert in Redis from MongoDB. The sale pauses for about a second.",
    )
    parser.add_argument("concert", metavar="CONCERT", help="id or slug of the concert")
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help=(
            "first delete the concert's data in Redis, including holds and places in the queue, "
            "as if the store had lost it"
        ),
    )
    return parser.parse_args(arguments)


async def run(stores: Stores, chosen: argparse.Namespace) -> int:
    """Run the command and return its exit status: 1 if the concert was not rebuilt."""
    id_or_slug = chosen.concert
    concert = await stores.concerts.get(ConcertId(id_or_slug)) or await stores.concerts.get_by_slug(id_or_slug)
    problem = _problem(concert, id_or_slug)
    if concert is None or problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        async with asyncio.timeout(WITHIN_S):
            is_done = await stores.recovery.rebuild(concert.id, from_scratch=chosen.from_scratch)
            while not is_done:
                # Another process is recovering the concert, or has just superseded this recovery.
                await asyncio.sleep(RETRY_AFTER_S)
                is_done = await stores.recovery.recover(concert.id)
    except TimeoutError:
        sys.stderr.write(f"concert {concert.id} was not rebuilt within {WITHIN_S:.0f} s; check the log, and repeat\n")
        return 1
    sys.stdout.write(await _summary(stores, concert))
    return 0


def _problem(concert: Concert | None, id_or_slug: str) -> str:
    if concert is None:
        return f"no concert has the id or slug {id_or_slug!r}; `concerts` in GraphQL lists them"
    if concert.status is ConcertStatus.DRAFT:
        return f"concert {concert.id} is a draft and has nothing in Redis; publish it first"
    if is_history(concert):
        return f"concert {concert.id} ended over 30 days ago; Redis no longer has any of its data"
    return ""


async def _summary(stores: Stores, concert: Concert) -> str:
    stock = await stores.holds.read_stock(concert)
    present = await stores.concerts.get(concert.id)
    lines = [f"concert {concert.id} was rebuilt; its epoch is {(present or concert).epoch}"]
    lines += [f"{tier.tier_id}: {tier.available} available, {tier.held} held, {tier.sold} sold" for tier in stock.tiers]
    return "".join(f"{line}\n" for line in lines)
