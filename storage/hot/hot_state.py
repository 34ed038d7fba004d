"""Calls that keep the hot state consistent: they copy settings, record orders, expire holds, and
begin and finish recoveries.

Workers, purchases and recoveries use them. Unlike HoldStore, HotState returns the word of the
script's reply, because its callers handle UNKNOWN and RECOVERING differently. The docstring of each
method or of its result type lists all possible words.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, Tier
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, HoldId, OrderId, TierId, Unit
from domain.lottery import Permutation
from domain.orders import Order, StockState
from storage import scripts
from storage.hot import replies
from storage.hot.script_client import ScriptClient
from storage.hot.tier_rules import encode_rules
from storage.keys import READINESS_CHANNEL, READINESS_KEYS, READINESS_LASTS_MS
from storage.layout import LAYOUT, OLDER
from storage.scripts import ScriptReplyError

RECOVERY_MARK_LIFE_MS = 10_000
KEYS_OUTLIVE_CONCERT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ConcertCopy:
    word: str
    """APPLIED, CURRENT, UNDECIDED, or LOST if the store has evicted a key of the concert."""
    proposal: str = ""
    """The id of an old proposal to lower capacities; set only with UNDECIDED."""


@dataclass(frozen=True, slots=True)
class CapacityDecision:
    word: str
    """CAPPED, IN_USE, BEHIND, STALE, TOO_SOON, UNKNOWN_TIER, UNKNOWN or RECOVERING."""
    tier_id: TierId | None = None
    """The first tier with more units held or sold than its lower capacity allows; set only with
    IN_USE.
    """
    lowest_capacity: int = 0
    """The number of units held or sold in that tier; set only with IN_USE."""
    version: int = 0
    """The version of the concert in the hot state; set only with BEHIND or STALE."""
    remaining_ms: int = 0
    """The time until the caller may try again; set only with TOO_SOON."""


@dataclass(frozen=True, slots=True)
class FreeUnits:
    word: str
    """UNITS, UNKNOWN_TIER, UNKNOWN or RECOVERING."""
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class TakenUnits:
    word: str
    """TAKEN; SOLD_OUT, PERSON_LIMIT or OVER, which are final; STALE, UNKNOWN or RECOVERING."""
    units: tuple[Unit, ...] = ()
    """The units of all lines; set only with TAKEN."""


@dataclass(frozen=True, slots=True)
class ExpiryRun:
    word: str
    """EXPIRED, UNKNOWN or RECOVERING."""
    expired: int = 0
    is_active: bool = True
    """True if any deadline remains."""


@dataclass(frozen=True, slots=True)
class AdmissionRun:
    word: str
    """RAN, UNKNOWN or RECOVERING."""
    called: int = 0
    is_bounded: bool = False
    """True if the run hit its bound and must be repeated immediately."""
    is_active: bool = True
    """True if any deadline remains."""


@dataclass(frozen=True, slots=True)
class FrozenQueue:
    word: str
    """FROZEN, OPEN, TOO_EARLY, STALE, UNKNOWN or RECOVERING."""
    registrations: int = 0
    digest: str = ""
    """A hexadecimal SHA-1 chain over the registrations."""


@dataclass(frozen=True, slots=True)
class RecoveryMark:
    word: str
    """MARKED, TRUSTED, BUSY, STALE or UNKNOWN."""
    incarnation: str = ""
    """The incarnation of the store that has the mark; set only with MARKED."""


class HotState:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def apply_concert(self, concert: Concert) -> str:
        """Copy the settings of a concert to the hot state.

        Return APPLIED, CURRENT if the hot state has this version or a later one, or LOST.
        """
        copied = await self.copy_concert(concert)
        return "CURRENT" if copied.word == "UNDECIDED" else copied.word

    async def copy_concert(self, concert: Concert) -> ConcertCopy:
        """Copy a concert as `apply_concert` does, and report lower capacities whose proposer may
        have crashed.
        """
        tiers = [
            word
            for tier in concert.tiers
            for word in (tier.id, tier.top, tier.price_minor, tier.capacity, encode_rules(tier.rules))
        ]
        settings = json.dumps(_settings(concert))
        expire_at_ms = _ms(keys_expire_at(concert))
        word, rest = await self._client.call(
            scripts.APPLY_CONCERT, concert.id, concert.version, expire_at_ms, settings, *tiers
        )
        match word:
            case "APPLIED" | "CURRENT" | "LOST":
                return ConcertCopy(word)
            case "UNDECIDED":
                return ConcertCopy(word, replies.text(rest[1]))
            case _:
                raise ScriptReplyError(scripts.APPLY_CONCERT.name, word)

    async def record_order(self, order: Order, *, epoch: int | None = None) -> str:
        """Record an order. Return RECORDED, KNOWN, UNKNOWN or RECOVERING.

        Only a recovery passes `epoch`.
        """
        awaits_payment = order.stock_state is StockState.BUYING and order.payment is not None
        pay_until_ms = _ms(order.payment.expires_at) if order.payment is not None and awaits_payment else ""
        word, _ = await self._client.call(
            scripts.RECORD_ORDER,
            order.concert_id,
            "" if epoch is None else epoch,
            order.id,
            order.person_id,
            order.version,
            order.stock_state,
            _origin(order),
            pay_until_ms,
            *order.units,
        )
        return replies.expect(scripts.RECORD_ORDER, word, "RECORDED", "KNOWN", "UNKNOWN", "RECOVERING")

    async def take_again(self, order: Order, *, starts_at: datetime) -> TakenUnits:
        """Take units for a late payment. `order` has none, and `starts_at` is when its concert
        starts.

        The units are held until a later version of the order is recorded. Until then, a repeated
        call returns the same units, unless one of them turns out to belong to another order in
        MongoDB.
        """
        word, rest = await self._client.call(
            scripts.TAKE_AGAIN,
            order.concert_id,
            order.id,
            order.person_id,
            order.version,
            _origin(order),
            _ms(starts_at),
        )
        match word:
            case "TAKEN":
                return TakenUnits(word, tuple(Unit(replies.text(unit)) for unit in rest))
            case "SOLD_OUT" | "PERSON_LIMIT" | "OVER" | "STALE" | "UNKNOWN" | "RECOVERING":
                return TakenUnits(word)
            case _:
                raise ScriptReplyError(scripts.TAKE_AGAIN.name, word)

    async def lower_capacity(
        self, concert: Concert, lowered: Sequence[Tier], *, proposal: str, is_large: bool
    ) -> CapacityDecision:
        """Cap new holds at the lower capacities, unless a tier already exceeds its new capacity.

        `concert` is the version on which the change is based.
        """
        pairs = [word for tier in lowered for word in (tier.id, tier.capacity)]
        word, rest = await self._client.call(
            scripts.LOWER_CAPACITY, concert.id, concert.version, proposal, int(is_large), *pairs
        )
        match word:
            case "IN_USE":
                return CapacityDecision(word, TierId(replies.text(rest[0])), lowest_capacity=int(rest[1]))
            case "BEHIND" | "STALE":
                return CapacityDecision(word, version=int(rest[0]))
            case "TOO_SOON":
                return CapacityDecision(word, remaining_ms=int(rest[0]))
            case "CAPPED" | "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                return CapacityDecision(word)
            case _:
                raise ScriptReplyError(scripts.LOWER_CAPACITY.name, word)

    async def drop_proposal(self, concert_id: ConcertId, proposal: str) -> str:
        """Remove the caps of a proposal. Return DROPPED, NO_PROPOSAL, UNKNOWN or RECOVERING."""
        word, _ = await self._client.call(scripts.DROP_PROPOSAL, concert_id, proposal)
        return replies.expect(scripts.DROP_PROPOSAL, word, "DROPPED", "NO_PROPOSAL", "UNKNOWN", "RECOVERING")

    async def find_free_units(
        self, concert_id: ConcertId, tier_id: TierId, *, limit: int, epoch: int | None = None
    ) -> FreeUnits:
        """Find units that no hold or order has. Only a recovery passes `epoch`."""
        token = "" if epoch is None else epoch
        word, rest = await self._client.call(scripts.FIND_FREE_UNITS, concert_id, token, tier_id, limit)
        match word:
            case "UNITS":
                return FreeUnits(word, tuple(Unit(replies.text(unit)) for unit in rest))
            case "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                return FreeUnits(word)
            case _:
                raise ScriptReplyError(scripts.FIND_FREE_UNITS.name, word)

    async def expire_holds(self, concert_id: ConcertId, *, limit: int) -> ExpiryRun:
        word, rest = await self._client.call(scripts.EXPIRE_HOLDS, concert_id, limit)
        match word:
            case "EXPIRED":
                return ExpiryRun(word, int(rest[0]), rest[1] == 1)
            case "UNKNOWN" | "RECOVERING":
                return ExpiryRun(word)
            case _:
                raise ScriptReplyError(scripts.EXPIRE_HOLDS.name, word)

    async def find_overdue_purchases(self, concert_id: ConcertId, *, limit: int) -> tuple[HoldId, ...]:
        """Return the holds that have been in BUYING for too long.

        Return an empty tuple while the store is not trusted.
        """
        word, rest = await self._client.call(scripts.FIND_OVERDUE, concert_id, limit)
        match word:
            case "OVERDUE":
                return tuple(HoldId(replies.text(id_)) for id_ in rest)
            case "UNKNOWN" | "RECOVERING":
                return ()
            case _:
                raise ScriptReplyError(scripts.FIND_OVERDUE.name, word)

    async def void_hold(self, concert_id: ConcertId, hold_id: HoldId) -> str:
        """End a hold that can never become an order.

        Return VOIDED, NO_HOLD, UNKNOWN or RECOVERING.
        """
        word, _ = await self._client.call(scripts.VOID_HOLD, concert_id, hold_id)
        return replies.expect(scripts.VOID_HOLD, word, "VOIDED", "NO_HOLD", "UNKNOWN", "RECOVERING")

    async def find_unrecorded(
        self, concert_id: ConcertId, orders: Sequence[tuple[OrderId, int]]
    ) -> set[OrderId] | None:
        """Return the ids of the orders that the store has not recorded.

        `orders` are pairs of id and version. Return None while the store is not trusted.
        """
        pairs = [word for id_, version in orders for word in (id_, version)]
        word, rest = await self._client.call(scripts.FIND_UNRECORDED, concert_id, *pairs)
        match word:
            case "UNRECORDED":
                return {OrderId(replies.text(id_)) for id_ in rest}
            case "UNKNOWN" | "RECOVERING":
                return None
            case _:
                raise ScriptReplyError(scripts.FIND_UNRECORDED.name, word)

    @property
    def incarnation(self) -> str:
        return self._client.incarnation

    async def read_trust(self, concert_id: ConcertId) -> tuple[bool, str]:
        """Return whether the store trusts its state of the concert, and its incarnation."""
        is_trusted = await self.find_unrecorded(concert_id, ()) is not None
        return is_trusted, self._client.incarnation

    async def require_writes(self) -> None:
        """Make a tiny write. Raises TemporarilyUnavailable if the store refuses it or is newer."""
        args = ("", READINESS_LASTS_MS, READINESS_CHANNEL, LAYOUT)
        word, _ = await self._client.call_with_keys(scripts.CLAIM_STORE, READINESS_KEYS, *args)
        if replies.expect(scripts.CLAIM_STORE, word, "WRITTEN", "NEWER") == "NEWER":
            raise TemporarilyUnavailable(OLDER)

    async def run_admission(self, concert_id: ConcertId, *, bound: int) -> AdmissionRun:
        word, rest = await self._client.call(scripts.ADMIT, concert_id, bound)
        match word:
            case "RAN":
                return AdmissionRun(word, int(rest[0]), rest[1] == 1, rest[2] == 1)
            case "UNKNOWN" | "RECOVERING":
                return AdmissionRun(word)
            case _:
                raise ScriptReplyError(scripts.ADMIT.name, word)

    async def freeze_queue(self, concert_id: ConcertId, round_: int) -> FrozenQueue:
        word, rest = await self._client.call(scripts.FREEZE_QUEUE, concert_id, round_)
        match word:
            case "FROZEN":
                return FrozenQueue(word, int(rest[0]), replies.text(rest[1]))
            case "OPEN" | "TOO_EARLY" | "STALE" | "UNKNOWN" | "RECOVERING":
                return FrozenQueue(word)
            case _:
                raise ScriptReplyError(scripts.FREEZE_QUEUE.name, word)

    async def open_queue(
        self,
        concert_id: ConcertId,
        round_: int,
        drawn: Permutation,
        *,
        epoch: int | None = None,
    ) -> str:
        """Open a queue with the numbers drawn in its lottery.

        Return OPENED, OPEN, STALE, UNKNOWN or RECOVERING. Only a recovery passes `epoch`.
        """
        token = "" if epoch is None else epoch
        word, _ = await self._client.call(
            scripts.OPEN_QUEUE, concert_id, token, round_, len(drawn), drawn.ranks, drawn.order
        )
        return replies.expect(scripts.OPEN_QUEUE, word, "OPENED", "OPEN", "STALE", "UNKNOWN", "RECOVERING")

    async def mark_recovery(self, concert_id: ConcertId, epoch: int) -> RecoveryMark:
        """Begin a recovery, or renew its mark."""
        word, rest = await self._client.call(scripts.MARK_RECOVERY, concert_id, epoch, RECOVERY_MARK_LIFE_MS)
        word = replies.expect(scripts.MARK_RECOVERY, word, "MARKED", "TRUSTED", "BUSY", "STALE", "UNKNOWN")
        return RecoveryMark(word, replies.text(rest[0]) if word == "MARKED" else "")

    async def distrust(self, concert_id: ConcertId, epoch: int, *, from_scratch: bool) -> str:
        """Make the concert wait for a recovery. Return DISTRUSTED, STALE or UNKNOWN."""
        word, _ = await self._client.call(scripts.DISTRUST, concert_id, epoch, int(from_scratch))
        return replies.expect(scripts.DISTRUST, word, "DISTRUSTED", "STALE", "UNKNOWN")

    async def finish_recovery(self, concert_id: ConcertId, epoch: int) -> str:
        """Finish a recovery. Return RECOVERED, RECOVERING or UNKNOWN."""
        word, _ = await self._client.call(scripts.FINISH_RECOVERY, concert_id, epoch)
        return replies.expect(scripts.FINISH_RECOVERY, word, "RECOVERED", "RECOVERING", "UNKNOWN")


def keys_expire_at(concert: Concert) -> datetime:
    """Return the time at which the keys of the concert expire."""
    return max(concert.terms.starts_at, concert.terms.sales_end_at) + KEYS_OUTLIVE_CONCERT


def is_history(concert: Concert) -> bool:
    """Return whether the concert's keys have expired. If so, the concert is not applied again."""
    return concert.terms.starts_at <= (now := datetime.now(UTC)) and keys_expire_at(concert) <= now


def _origin(order: Order) -> str:
    """Return, as JSON, what recreates an order's hold in a store that lost it, and its trace."""
    origin: dict[str, object] = {
        "lines": [[line.tier_id, line.quantity, line.unit_price_minor] for line in order.lines],
        "created_ms": _ms(order.created_at),
        "digest": order.hold_digest,
    }
    optional = {"pass": order.pass_entry_id, "traceparent": order.traceparent}
    return json.dumps(origin | {name: value for name, value in optional.items() if value is not None})


def _settings(concert: Concert) -> dict[str, str | int]:
    """Return the fields of the state hash that are copied from MongoDB."""
    room = concert.room
    return {
        "status": concert.status,
        "sales_start_ms": _ms(concert.terms.sales_start_at),
        "sales_end_ms": _ms(concert.terms.sales_end_at),
        "limit_per_order": concert.terms.limit_per_order,
        "limit_per_person": concert.terms.limit_per_person,
        "hold_ms": concert.terms.hold_duration_ms,
        "suspended": int(room.suspended),
        "queueing_method": room.queueing_method,
        "queue_all": int(room.queue_all),
        "prequeue_ms": 0 if room.prequeue_starts_at is None else _ms(room.prequeue_starts_at),
        "opens_ms": _ms(concert.room_opens_at),
        "has_lottery": int(room.has_lottery),
        "round": room.round,
        "total_active_users": room.total_active_users,
        "new_users_per_minute": room.new_users_per_minute,
        "pass_claim_timeout_ms": room.pass_claim_timeout_ms,
        "session_duration_ms": room.session_duration_ms,
        "heartbeat_timeout_ms": room.heartbeat_timeout_ms,
        "disconnect_grace_ms": room.disconnect_grace_ms,
    }


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
