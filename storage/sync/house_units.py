"""Moves units between the sale and the house.

Units that are off sale belong to WITHDRAWN orders of the house. The unique index on units covers
these orders too, so no unit is ever off sale and sold at the same time. Nothing is reserved
beforehand: the hot state only suggests units that are free. If a hold takes one of them in the
meantime, that hold gets another unit when the house's order is recorded; if an order takes one, the
transaction fails and other units are chosen. A crash therefore leaves nothing to undo, and the next
run moves the rest.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from domain.concerts import Concert, Tier
from domain.holds import TicketLine
from domain.ids import HOUSE, ConcertId, OrderId, TierId, Unit, hold_id
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from storage import scripts
from storage.hot.hot_state import HotState, is_history
from storage.hot.replies import is_recorded
from storage.mongo.concert_transaction import ConcertTransaction, HouseMove
from storage.mongo.concerts import ConcertStore
from storage.mongo.orders import OrderStore
from storage.scripts import ScriptReplyError
from storage.sync.order_sync import OrderSync

log = logging.getLogger(__name__)

MAX_UNITS_PER_TRANSACTION = 5000
"""A transaction with more units delays purchases, and one with far more units fails."""
MAX_UNITS_PER_ORDER = 1000
"""A larger order would make the script call that records it too slow."""
MAX_FAILURES = 5
"""A recovery that has failed to move units this many times in a row starts over."""
_HOUSE = Customer("Onsale", "")


class HouseUnits:
    def __init__(
        self,
        concerts: ConcertStore,
        orders: OrderStore,
        *,
        transaction: ConcertTransaction,
        hot_state: HotState,
        order_sync: OrderSync,
    ) -> None:
        self._concerts = concerts
        self._orders = orders
        self._transaction = transaction
        self._hot_state = hot_state
        self._order_sync = order_sync

    async def plan(self, concert: Concert, tier_id: TierId, count: int, *, epoch: int | None = None) -> HouseMove:
        """Choose units for the house to take, or to return if `count` is negative.

        At most MAX_UNITS_PER_TRANSACTION are chosen, and none while the hot state is not trusted.
        Nothing is written.
        """
        if count < 0:
            return await self._plan_return(concert.id, tier_id, min(-count, MAX_UNITS_PER_TRANSACTION))
        limit = min(count, MAX_UNITS_PER_TRANSACTION)
        found = await self._hot_state.find_free_units(concert.id, tier_id, limit=limit, epoch=epoch)
        match found.word:
            case "UNITS":
                if not found.units:
                    log.info("%d units of tier %s cannot be moved now: none is free", count, tier_id)
                return _move_to_house(concert, tier_id, found.units)
            case "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                why = f"the stock store is being checked ({found.word})"
                log.info("%d units of tier %s cannot be moved now: %s", count, tier_id, why)
                return HouseMove(tier_id, 0)
            case _:
                raise ScriptReplyError(scripts.FIND_FREE_UNITS.name, found.word)

    async def record(self, moves: Sequence[HouseMove]) -> None:
        """Record the orders of these moves in the hot state.

        The record worker retries those that fail.
        """
        await self._order_sync.sync_all([order for move in moves for order in (*move.added, *move.shrunk)])

    async def sync_owners(self, moves: Sequence[HouseMove]) -> bool:
        """Record, in the hot state, the orders that own the units that these moves would take.

        Return whether one of them is an order of the house, which another change has written.
        """
        owners = await self._orders.find_owners(_units(moves))
        await self._order_sync.sync_all(owners)
        return any(order.person_id == HOUSE for order in owners)

    async def advance(self, concert_id: ConcertId, *, rounds: int) -> int:
        """Add or withdraw units until every tier matches its capacity, or `rounds` are used up.

        Each round moves the units of each tier in a separate transaction.

        Return the number of units moved. Units of a past concert are not moved: nothing is on sale,
        and if the concert's dates are moved to the future, a recovery moves the remaining units.
        """
        total = 0
        for _ in range(rounds):
            concert = await self._concerts.get(concert_id)
            moving = [tier for tier in concert.tiers if tier.to_withdraw] if concert is not None else []
            if concert is None or not moving or is_history(concert):
                break
            moved = sum([await self._move(concert, tier) for tier in moving])
            if not moved:
                break
            total += moved
        return total

    async def finish_withdrawals(self, concert: Concert) -> bool:
        """Take all units that the house must still take. `concert.epoch` identifies the recovery.

        Return False after too many failures in a row, or if the recovery has lost its mark.

        A recovered store may not know about a purchase in progress. Such a purchase cannot exceed
        the capacity once all units above the capacity have an owner in MongoDB.
        """
        failures = 0
        while failures < MAX_FAILURES:
            stored = await self._concerts.get(concert.id)
            tier = next((tier for tier in stored.tiers if tier.to_withdraw > 0), None) if stored is not None else None
            if stored is None or tier is None:
                return True
            # Renew the mark, so that a long recovery is not mistaken for one that crashed.
            await self._hot_state.mark_recovery(concert.id, concert.epoch)
            move = await self.plan(stored, tier.id, tier.to_withdraw, epoch=concert.epoch)
            if not move.count:
                move = await self._plan_from_orders(stored, tier)
            if not move.count:
                log.error(
                    "tier %s: more units are sold than its capacity allows; %d cannot be withdrawn",
                    tier.id,
                    tier.to_withdraw,
                )
                return True
            is_moved = await self._try_move(concert.id, move)
            orders = list(move.added) if is_moved else await self._orders.find_owners(_units([move]))
            if not await self._record_in_recovery(orders, concert.epoch):
                return False
            failures = 0 if is_moved else failures + 1
        log.warning("recovery of concert %s cannot withdraw its units yet", concert.id)
        return False

    async def _move(self, concert: Concert, tier: Tier) -> int:
        move = await self.plan(concert, tier.id, tier.to_withdraw)
        if not move.count:
            return 0
        if not await self._try_move(concert.id, move):
            await self.sync_owners([move])
            return 0
        await self.record([move])
        rest = tier.to_withdraw - move.count
        log.log(logging.DEBUG if rest else logging.INFO, "tier %s: %d units moved, %d left", tier.id, move.count, rest)
        return abs(move.count)

    async def _try_move(self, concert_id: ConcertId, move: HouseMove) -> bool:
        """Write a move. Return False if another process or an order got there first."""
        try:
            is_moved = await self._transaction.move_units(concert_id, move)
        except DuplicateKeyError:
            log.info("units of tier %s have an owner that the stock store does not know yet", move.tier_id)
            return False
        if not is_moved:
            log.info("units of tier %s were moved by another process", move.tier_id)
        return is_moved

    async def _record_in_recovery(self, orders: Sequence[Order], epoch: int) -> bool:
        words = await asyncio.gather(*[self._hot_state.record_order(order, epoch=epoch) for order in orders])
        return all(is_recorded(word) for word in words)

    async def _plan_return(self, concert_id: ConcertId, tier_id: TierId, count: int) -> HouseMove:
        shrunk: list[Order] = []
        missing = count
        max_orders = -(-MAX_UNITS_PER_TRANSACTION // MAX_UNITS_PER_ORDER)
        for order in await self._orders.list_withdrawn(concert_id, tier_id, limit=max_orders):
            returned = order.units[:missing]
            if returned:
                missing -= len(returned)
                shrunk.append(_without(order, returned))
        return HouseMove(tier_id, missing - count, shrunk=shrunk)

    async def _plan_from_orders(self, concert: Concert, tier: Tier) -> HouseMove:
        """Choose units that belong to no order, even if holds in the recovered store have them.

        Those holds get other units or end.
        """
        recorded = await self._orders.list_units(concert.id, tier.id)
        numbered = (Unit(f"{tier.id}:{number}") for number in range(tier.top, 0, -1))
        limit = min(tier.to_withdraw, MAX_UNITS_PER_TRANSACTION)
        return _move_to_house(concert, tier.id, [unit for unit in numbered if unit not in recorded][:limit])


def _move_to_house(concert: Concert, tier_id: TierId, units: Sequence[Unit]) -> HouseMove:
    parts = [units[first : first + MAX_UNITS_PER_ORDER] for first in range(0, len(units), MAX_UNITS_PER_ORDER)]
    return HouseMove(tier_id, len(units), added=[_withdrawn_order(concert, tier_id, part) for part in parts])


def _units(moves: Sequence[HouseMove]) -> list[Unit]:
    return [unit for move in moves for order in move.added for unit in order.units]


def _withdrawn_order(concert: Concert, tier_id: TierId, units: Sequence[Unit]) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=OrderId(hold_id(HOUSE, concert.id, "withdraw", secrets.token_hex(16))),
        concert_id=concert.id,
        person_id=HOUSE,
        status=OrderStatus.WITHDRAWN,
        units=tuple(units),
        released_units=(),
        lines=(TicketLine(tier_id, len(units), 0),),
        currency=concert.currency,
        customer=_HOUSE,
        version=1,
        events=(OrderEvent("WITHDRAWN", now),),
        created_at=now,
    )


def _without(order: Order, returned: Sequence[Unit]) -> Order:
    return replace(
        order,
        units=order.units[len(returned) :],
        released_units=(*order.released_units, *returned),
        version=order.version + 1,
        events=(*order.events, OrderEvent("GIVEN_BACK", datetime.now(UTC))),
    )
