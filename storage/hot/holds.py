"""Holds and stock.

Each method makes one script call, and returns the reply as a domain value or raises a refusal as a
domain error.
"""

from collections.abc import Sequence
from typing import Any, cast

import orjson

from domain.concerts import Concert, ConcertStatus
from domain.errors import (
    Admission,
    HoldEnded,
    IdempotencyConflict,
    InvalidInput,
    LimitExceeded,
    LimitScope,
    NotAdmitted,
    NotFound,
    NotOnSale,
    PurchaseInProgress,
    SoldOut,
)
from domain.holds import EndReason, Hold, HoldState, TicketLine, TicketRequest
from domain.ids import ConcertId, EntryId, HoldId, PersonId, TierId, ordinal_of
from domain.inputs.problems import unknown_tier_problem
from domain.limits.rates import NO_RATES, CallRates, LimitedCall
from domain.stock import Stock, TierStock
from domain.tiers.errors import TierProblem, TierRefused
from storage import scripts
from storage.hot import replies
from storage.hot.guarded_client import UNTRUSTED, GuardedClient
from storage.hot.rate_limits import rate_arguments, rate_limited_error
from storage.hot.script_client import Reply
from storage.hot.tier_rules import decode_stock_rules
from storage.scripts import ScriptReplyError
from telemetry import metrics

_STATES = {state.value: state for state in HoldState}
_EXTENDED_STATES = (HoldState.HELD, HoldState.BUYING)


class OrderExists(Exception):
    """The hold already has an order, which the caller should read instead."""


class HoldStore:
    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    async def hold(
        self,
        concert_id: ConcertId,
        hold_id: HoldId,
        lines: Sequence[TicketRequest],
        *,
        person_id: PersonId,
        digest: str,
        pass_entry_id: EntryId | None = None,
        rates: CallRates = NO_RATES,
        address: str | None = None,
        sells_hidden: bool = False,
    ) -> Hold:
        """Hold the tickets in all lines or none, and return the hold. A tier may occur in only one
        line.

        Raises a domain error for each refusal listed in the header of hold_tickets.lua.
        `pass_entry_id` is the entry id in a pass whose signature has been verified. `sells_hidden`
        is for the concert's organizer and admins; for others, a hidden tier does not exist.
        """
        entry_id = "" if pass_entry_id is None else pass_entry_id
        args: list[str | int] = [
            hold_id,
            person_id,
            digest,
            entry_id,
            *rate_arguments(rates, address),
            "1" if sells_hidden else "",
        ]
        units = 0
        for line in lines:
            args += (line.tier_id, line.quantity)
            units += line.quantity
        rest = await self._client.send_for(concert_id, scripts.HOLD_TICKETS, args, units=units)
        word = scripts.HOLD_TICKETS.decode_word(rest.pop(0))
        if word in UNTRUSTED:
            raise await self._client.refusal_for(concert_id, word)
        metrics.holds.add(word)
        match word:
            case "HOLD":
                return hold_from_reply(concert_id, hold_id, rest)
            case "SOLD_OUT":
                released_at = replies.time(rest[2]) if rest[2] else None
                raise SoldOut(TierId(replies.text(rest[0])), int(rest[1]), released_at, minimum=int(rest[3]))
            case "TIER_REFUSED":
                raise _tier_refused(rest)
            case "ORDER_LIMIT":
                raise LimitExceeded(LimitScope.ORDER, int(rest[0]), held=0, owned=0)
            case "PERSON_LIMIT":
                raise LimitExceeded(LimitScope.PERSON, int(rest[0]), held=int(rest[1]), owned=int(rest[2]))
            case "NOT_ON_SALE":
                opens_at = replies.time(rest[1]) if int(rest[3]) < int(rest[1]) else None
                raise NotOnSale(concert_id, ConcertStatus(replies.text(rest[0])), opens_at)
            case "NOT_ADMITTED":
                raise NotAdmitted(Admission(replies.text(rest[0])), replies.optional_int(rest[1]))
            case "UNKNOWN_TIER":
                raise _unknown_tier(lines, TierId(replies.text(rest[0])))
            case "CONFLICT":
                raise IdempotencyConflict
            case "RATE_LIMITED":
                raise rate_limited_error(LimitedCall.HOLD_TICKETS, rates, rest)
            case _:
                raise ScriptReplyError(scripts.HOLD_TICKETS.name, word)

    async def release(
        self, concert_id: ConcertId, hold_id: HoldId, *, person_id: PersonId, reason: EndReason = EndReason.RELEASED
    ) -> Hold:
        """End a hold and return it.

        Raises NotFound if the hold is unknown or belongs to another person, and PurchaseInProgress
        if it is being bought or has an order.
        """
        word, rest = await self._client.call(scripts.RELEASE_HOLD, concert_id, hold_id, person_id, reason)
        match word:
            case "HOLD":
                return hold_from_reply(concert_id, hold_id, rest)
            case "BUYING":
                raise PurchaseInProgress(hold_id)
            case "ORDERED":
                raise PurchaseInProgress(hold_id, awaits_payment=rest[0] == 1)
            case "NO_HOLD":
                raise NotFound("Hold", hold_id)
            case _:
                raise ScriptReplyError(scripts.RELEASE_HOLD.name, word)

    async def begin_purchase(
        self,
        concert_id: ConcertId,
        hold_id: HoldId,
        *,
        person_id: PersonId,
        purchase_key: str,
        digest: str,
        rates: CallRates = NO_RATES,
        address: str | None = None,
    ) -> Hold:
        """Move a hold to BUYING, and return it with the units to record.

        Raises OrderExists if the hold has an order, paid or not, PurchaseInProgress if another hold
        with the same pass is being bought, HoldEnded if the hold, or its order under another key,
        has ended, IdempotencyConflict if the key was used with another input, NotFound if the hold
        is unknown or belongs to another person, and RateLimited if a limit is exceeded.
        """
        word, rest = await self._client.call(
            scripts.BEGIN_PURCHASE,
            concert_id,
            hold_id,
            person_id,
            purchase_key,
            digest,
            *rate_arguments(rates, address),
        )
        match word:
            case "BUYING":
                return hold_from_reply(concert_id, hold_id, rest)
            case "PASS_BOUND":
                raise PurchaseInProgress(hold_id)
            case "ORDERED":
                raise OrderExists
            case "ENDED":
                raise HoldEnded(hold_id, EndReason(replies.text(rest[0])))
            case "CONFLICT":
                raise IdempotencyConflict
            case "NO_HOLD":
                raise NotFound("Hold", hold_id)
            case "RATE_LIMITED":
                raise rate_limited_error(LimitedCall.PURCHASE_TICKETS, rates, rest)
            case _:
                raise ScriptReplyError(scripts.BEGIN_PURCHASE.name, word)

    async def get(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        word, rest = await self._client.call(scripts.READ_HOLDS, concert_id, hold_id)
        replies.expect(scripts.READ_HOLDS, word, "HOLDS")
        grace_until_ms, epoch, version, record = rest
        if not record:
            return None
        return _hold(
            concert_id, hold_id, record, grace_until_ms=int(grace_until_ms), epoch=int(epoch), version=int(version)
        )

    async def list_for_person(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        """Return the person's active holds, oldest first."""
        word, rest = await self._client.call(scripts.READ_PERSON, concert_id, person_id)
        replies.expect(scripts.READ_PERSON, word, "PERSON")
        grace_until_ms, epoch, version = map(int, rest[2:5])
        return tuple(
            _hold(
                concert_id,
                HoldId(replies.text(id_)),
                record,
                grace_until_ms=grace_until_ms,
                epoch=epoch,
                version=version,
            )
            for id_, record in zip(rest[5::2], rest[6::2], strict=True)
        )

    async def read_stock(self, concert: Concert) -> Stock:
        word, rest = await self._client.call(scripts.READ_STOCK, concert.id)
        replies.expect(scripts.READ_STOCK, word, "STOCK")
        return decode_stock(replies.lists(rest)[0], concert)


def decode_stock(fields: Reply, concert: Concert) -> Stock:
    """Decode the stock, with its hidden tiers, from an epoch, a version and six fields per tier.

    The currency, which never changes, and the organizer are not in the hot state.
    """
    tiers = (_tier_stock(fields[first : first + 6]) for first in range(2, len(fields), 6))
    ordered = tuple(sorted(tiers, key=lambda tier: ordinal_of(tier.tier_id)))
    return Stock(int(fields[0]), int(fields[1]), ordered, concert.currency, concert.organizer_id)


def _tier_stock(fields: Reply) -> TierStock:
    tier, capacity, held, sold, price_minor, text = fields
    rules = decode_stock_rules(text)
    return TierStock(
        TierId(replies.text(tier)),
        int(capacity),
        int(held),
        int(sold),
        int(price_minor),
        is_hidden=rules.is_hidden,
        is_withdrawn=rules.is_withdrawn,
    ).unless_withdrawn()


def hold_from_reply(concert_id: ConcertId, hold_id: HoldId, rest: Reply) -> Hold:
    """Decode a hold from the values after HOLD or BUYING: its record, its effective deadline, and
    the epoch and the version at which it was read.
    """
    record, grace_until_ms, epoch, version = rest
    return _hold(
        concert_id, hold_id, record, grace_until_ms=int(grace_until_ms), epoch=int(epoch), version=int(version)
    )


def _hold(
    concert_id: ConcertId, hold_id: HoldId, text: bytes | int, *, grace_until_ms: int, epoch: int, version: int
) -> Hold:
    record: dict[str, Any] = orjson.loads(cast(bytes, text))
    state = _STATES[record["state"]]
    # The order worker enforces the deadline of a payment, which MongoDB has too, so no grace period
    # of the hot store extends it.
    is_extended = state in _EXTENDED_STATES and not record.get("order_version")
    expires_ms: int = record["deadline_ms"]
    if is_extended and grace_until_ms > expires_ms:
        expires_ms = grace_until_ms
    return Hold(
        id=hold_id,
        concert_id=concert_id,
        person_id=PersonId(record["person"]),
        state=state,
        reason=EndReason(record["reason"]) if record["reason"] else None,
        # cjson encodes an empty list as {}.
        units=tuple(record["units"]),
        lines=tuple([TicketLine(*line) for line in record["lines"]]),
        created_ms=record["created_ms"],
        expires_ms=expires_ms,
        digest=record["digest"],
        pass_entry_id=record.get("pass"),
        epoch=epoch,
        version=version,
    )


def _tier_refused(rest: Reply) -> TierRefused:
    """Decode the values after TIER_REFUSED: tier, broken rule, and its limit or the opening."""
    tier_id, problem = TierId(replies.text(rest[0])), TierProblem(replies.text(rest[1]))
    if problem is TierProblem.NOT_OPEN:
        return TierRefused(tier_id, problem, opens_at=replies.time(rest[2]))
    return TierRefused(tier_id, problem, limit=replies.optional_int(rest[2]))


def _unknown_tier(lines: Sequence[TicketRequest], tier_id: TierId) -> InvalidInput:
    index = next(index for index, line in enumerate(lines) if line.tier_id == tier_id)
    return InvalidInput(unknown_tier_problem(f"lines.{index}.tierId"))
