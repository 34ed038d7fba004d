"""`python -m workers deadletters [list|replay|discard]`: shows, replays or discards failed events.

A dead letter contains an event that a consumer group could not handle. A replay immediately passes
the event to the group's handler again. A dead letter is deleted only once its event has been
handled or discarded.
"""

import argparse
import sys
from collections.abc import AsyncIterator, Collection, Sequence

from domain.ids import ConcertId
from storage.connect import Stores
from storage.hot.events import DeadLetter
from workers.history import HistoryHandler
from workers.stream_consumer import EventHandler, find_failures

COMMAND = "deadletters"
HANDLERS: dict[str, EventHandler] = {HistoryHandler.group: HistoryHandler()}


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m workers {COMMAND}", description="Shows, replays or discards events that could not be handled."
    )
    parser.add_argument("verb", nargs="?", choices=("list", "replay", "discard"), default="list")
    parser.add_argument("--concert", metavar="ID", help="only this concert, by id or slug; default: all")
    parser.add_argument(
        "--id", nargs="+", action="extend", dest="ids", metavar="ID", help="only these dead letters; default: all"
    )
    chosen = parser.parse_args(arguments)
    if chosen.verb == "discard" and not chosen.ids:
        parser.error("name the dead letters to discard with --id; they cannot be restored")
    return chosen


async def run(stores: Stores, chosen: argparse.Namespace) -> int:
    """Run the command and return its exit status.

    The status is 1 if the concert or a dead letter does not exist, or if a replay failed.
    """
    concerts = await _concerts(stores, chosen.concert)
    if concerts is None:
        sys.stderr.write(f"no concert has the id or slug {chosen.concert!r}\n")
        return 1
    letters = [
        letter async for letter in _letters(stores, concerts) if not chosen.ids or format_name(letter) in chosen.ids
    ]
    missing = set(chosen.ids or ()) - {format_name(letter) for letter in letters}
    if chosen.verb == "list":
        _print(*format_table(letters))
    for letter in letters if chosen.verb == "discard" else ():
        await stores.events.drop_dead_letters(letter.concert_id, [letter.id])
        _print(f"{format_name(letter)}: discarded")
    kept = [letter for letter in letters if chosen.verb == "replay" and not await _replay(stores, letter)]
    _print(*[f"{id_}: no dead letter has this id" for id_ in sorted(missing)])
    return 1 if missing or kept else 0


def format_name(letter: DeadLetter) -> str:
    """Return the name that identifies a dead letter on the command line.

    Its id alone is unique only within its concert.
    """
    return f"{letter.concert_id}:{letter.id}"


def format_table(letters: Sequence[DeadLetter]) -> list[str]:
    if not letters:
        return ["no dead letters"]
    rows = [("ID", "GROUP", "EVENT", "FAILED AT", "TRIES", "ERROR"), *[_row(letter) for letter in letters]]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join([*[cell.ljust(width) for cell, width in zip(row, widths, strict=False)], row[5]]) for row in rows]


def _row(letter: DeadLetter) -> tuple[str, ...]:
    event = letter.event
    what = " ".join(f"{field}={value}" for field, value in event.fields.items() if value)
    failed_at = letter.failed_at.strftime("%Y-%m-%d %H:%M:%S")
    row = (format_name(letter), letter.group, what, failed_at, str(event.tries), letter.error)
    # A value may contain control characters, which must not reach the terminal.
    return tuple(cell if cell.isprintable() else ascii(cell)[1:-1] for cell in row)


async def _concerts(stores: Stores, id_or_slug: str | None) -> Collection[ConcertId] | None:
    """Return the id of the concert with this id or slug, or all ids if `id_or_slug` is None.

    Return None if no such concert exists.
    """
    if id_or_slug is None:
        return [concert.id for concert in await stores.concert_cache.list_all()]
    concert = await stores.concerts.get(ConcertId(id_or_slug)) or await stores.concerts.get_by_slug(id_or_slug)
    return None if concert is None else [concert.id]


async def _letters(stores: Stores, concerts: Collection[ConcertId]) -> AsyncIterator[DeadLetter]:
    for concert_id in concerts:
        async for letter in stores.events.dead_letters(concert_id):
            yield letter


async def _replay(stores: Stores, letter: DeadLetter) -> bool:
    handler = HANDLERS.get(letter.group)
    if handler is None:
        error: str | None = f"no handler is registered for group {letter.group!r}"
    else:
        error = (await find_failures(handler, stores, letter.concert_id, [letter.event])).get(letter.event.id)
    if error is None:
        await stores.events.drop_dead_letters(letter.concert_id, [letter.id])
    _print(f"{format_name(letter)}: {'replayed' if error is None else f'kept; it failed again: {error}'}")
    return error is None


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
