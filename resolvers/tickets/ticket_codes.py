"""Verifies scanned codes with the keys of their concert."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.concerts import Concert, ConcertStatus
from domain.ids import ConcertId
from domain.tickets.check_ins import ScannedTicket
from domain.tickets.ticket import ScanProblem
from resolvers.context import Context
from tickets.codes import BadCode, read_code
from tickets.keys import KeyId

MAX_VERIFIED_AT_ONCE = 20
"""The maximum number of codes, at 0.1 ms each, that are verified without a thread. More would make
other requests wait.
"""


async def read_codes(
    context: Context, concert: Concert, codes: Sequence[str], now: datetime
) -> list[ScannedTicket | ScanProblem]:
    """Return, for each code, the ticket that it names, or why it is not valid for the concert.

    Raises TemporarilyUnavailable.
    """
    # A draft has sold no ticket, so no code can be genuine.
    is_draft = concert.status is ConcertStatus.DRAFT
    keys = {} if is_draft else await context.concert_keys.load_ring(concert.id)
    if len(codes) <= MAX_VERIFIED_AT_ONCE:
        return _read_all(concert.id, codes, keys, now)
    return await asyncio.to_thread(_read_all, concert.id, codes, keys, now)


def _read_all(
    concert_id: ConcertId, codes: Sequence[str], keys: Mapping[KeyId, bytes], now: datetime
) -> list[ScannedTicket | ScanProblem]:
    return [_read(concert_id, code, keys, now) for code in codes]


def _read(concert_id: ConcertId, code: str, keys: Mapping[KeyId, bytes], now: datetime) -> ScannedTicket | ScanProblem:
    try:
        content = read_code(code, concert_id, keys, now=now)
    except BadCode as error:
        return ScanProblem(error.problem.value)
    return ScannedTicket(content.ticket_id, content.generation)
