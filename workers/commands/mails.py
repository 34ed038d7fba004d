"""`python -m workers mails [list|retry]`: shows mails that could not be sent, or sends them again.

A mail that is tried again keeps its id, so the recipient's program can recognize a second copy.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from domain.mails.mail import Mail
from storage.connect import Stores

COMMAND = "mails"
MAX_MAILS = 1_000
"""The number of mails that one call shows or sends again, the oldest first."""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m workers {COMMAND}", description="Shows mails that could not be sent, or sends them again."
    )
    parser.add_argument("verb", nargs="?", choices=("list", "retry"), default="list")
    parser.add_argument(
        "--id", nargs="+", action="extend", dest="ids", metavar="ID", help="only these mails; default: all"
    )
    return parser.parse_args(arguments)


async def run(stores: Stores, chosen: argparse.Namespace) -> int:
    """Run the command and return its exit status, which is 1 if a mail is not a dead letter."""
    mails = await stores.mails.list_dead(ids=chosen.ids, limit=MAX_MAILS)
    if chosen.verb == "list":
        _print(*format_table(mails))
    elif mails:
        count = await stores.mails.retry([mail.id for mail in mails], datetime.now(UTC))
        _print(f"{count} of {len(mails)} mails will be sent again by a worker")
    else:
        _print("no mails to send again")
    missing = sorted(set(chosen.ids or ()) - {mail.id for mail in mails})
    _print(*[f"{id_}: no mail with this id has failed" for id_ in missing])
    if len(mails) == MAX_MAILS:
        _print(f"there may be more: only {MAX_MAILS} mails are handled at a time")
    return 1 if missing else 0


def format_table(mails: Sequence[Mail]) -> list[str]:
    if not mails:
        return ["no mails have failed"]
    rows = [("ID", "KIND", "QUEUED AT", "ATTEMPTS", "PROBLEM"), *[_row(mail) for mail in mails]]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join([*[cell.ljust(width) for cell, width in zip(row, widths, strict=False)], row[4]]) for row in rows]


def _row(mail: Mail) -> tuple[str, ...]:
    queued_at = mail.created_at.strftime("%Y-%m-%d %H:%M:%S")
    problem = mail.problem if mail.problem.isprintable() else ascii(mail.problem)[1:-1]
    return mail.id, mail.kind.value, queued_at, str(mail.attempts), problem


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
