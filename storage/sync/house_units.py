"""Units that a lower capacity takes off sale.

They are held under the id HOUSE, and then recorded in WITHDRAWN orders.

The unique index of sold units covers them too, so no unit is ever off sale and sold at once. A
raised capacity returns such units first.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from domain.concerts import Concert, Tier
from domain.errors import CapacityInUse
from domain.holds import Hold
from domain.ids import HOUSE, ConcertId, OrderId, TierId, Unit, hold_id
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from storage import scripts
from storage.hot.guarded_client import RecoveryGuard
from storage.hot.hot_state import HotState
from storage.mongo.orders import OrderStore
from storage.scripts import ScriptReplyError
from storage.sync.order_sync import OrderSync

MAX_UNITS_PER_HOLD = 1000
"""Keeps one script call short; a larger withdrawal takes several holds and one transaction."""
_HOUSE = Customer("Onsale", "")


@dataclass(frozen=True, slots=True)
class ReturnedUnits:
    """Orders of the house without the units that raised tiers get back, and the counts per tier."""

    shrunk: tuple[Order, ...]
    counts: Counter[TierId]


class HouseUnits:
    def __init__(self, orders: OrderStore, hot_state: HotState, order_sync: OrderSync, guard: RecoveryGuard) -> None:
        self._orders = orders
        self._hot_state = hot_state
        self._order_sync = order_sync
        self._guard = guard

    async def withdraw(self, before: Concert, after: Concert) -> list[Hold]:
        """Hold for the house the units that the lowered tiers lose, all or none; return the holds.

        Raises CapacityInUse, and the guard's error if the store does not know the concert or the
        tier, or is recovering.
        """
        taken: list[Hold] = []
        for old, new in changed_tiers(before, after):
            missing = old.capacity - new.capacity
            while missing > 0:
                quantity = min(missing, MAX_UNITS_PER_HOLD)
                taken.append(await self._withdraw_some(before, old, quantity, taken))
                missing -= quantity
        return taken

    async def plan_return(self, before: Concert, after: Concert) -> ReturnedUnits:
        """Return the units of the house that raised tiers get back; writes nothing."""
        wanted = {old.id: new.capacity - old.capacity for old, new in changed_tiers(before, after)}
        shrunk: list[Order] = []
        counts: Counter[TierId] = Counter()
        for order in await self._orders.list_withdrawn(before.id):
            tier_id = order.lines[0].tier_id
            back = order.units[: max(wanted.get(tier_id, 0) - counts[tier_id], 0)]
            if back:
                counts[tier_id] += len(back)
                shrunk.append(_without(order, back))
        return ReturnedUnits(tuple(shrunk), counts)

    async def settle(self, holds: Sequence[Hold]) -> None:
        """Settle the holds of a change that was not made, so that their units are free again."""
        for hold in holds:
            await self._order_sync.settle(hold.concert_id, hold.id)

    async def sync_owners(self, holds: Sequence[Hold]) -> None:
        """Record in the hot state the orders that have the units of these holds."""
        await self._order_sync.sync_owners([unit for hold in holds for unit in hold.units])

    async def sync(self, concert_id: ConcertId) -> None:
        """Record every order of the house in the hot state."""
        await self._order_sync.sync_all(await self._orders.list_withdrawn(concert_id))

    async def _withdraw_some(self, concert: Concert, tier: Tier, quantity: int, taken: Sequence[Hold]) -> Hold:
        # A new id each time: the next attempt must not find the settled hold of an earlier one.
        id_ = hold_id(HOUSE, concert.id, "withdraw", secrets.token_hex(16))
        withdrawal = await self._hot_state.withdraw_units(concert.id, id_, tier.id, quantity)
        if withdrawal.hold is not None:
            return withdrawal.hold
        await self.settle(taken)
        match withdrawal.word:
            case "IN_USE":
                ours = sum(len(hold.units) for hold in taken if hold.lines[0].tier_id == tier.id)
                raise CapacityInUse(tier.id, lowest=withdrawal.lowest_capacity - ours)
            case "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                # A recovery applies the concert, including a tier that the store does not know yet.
                raise await self._guard.refusal_for(concert.id, withdrawal.word)
            case _:
                raise ScriptReplyError(scripts.WITHDRAW_UNITS.name, withdrawal.word)


def changed_tiers(before: Concert, after: Concert) -> list[tuple[Tier, Tier]]:
    """Return the tiers whose capacity changes, as pairs of the old and the new tier."""
    pairs = [(old, after.tier(old.id)) for old in before.tiers]
    return [(old, new) for old, new in pairs if new is not None and new.capacity != old.capacity]


def withdrawn_order(hold: Hold, concert: Concert) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=OrderId(hold.id),
        concert_id=hold.concert_id,
        person_id=HOUSE,
        status=OrderStatus.WITHDRAWN,
        units=hold.units,
        released_units=(),
        lines=hold.lines,
        currency=concert.currency,
        customer=_HOUSE,
        version=1,
        events=(OrderEvent("WITHDRAWN", now),),
        created_at=now,
    )


def _without(order: Order, back: Sequence[Unit]) -> Order:
    return replace(
        order,
        units=order.units[len(back) :],
        released_units=(*order.released_units, *back),
        version=order.version + 1,
        events=(*order.events, OrderEvent("GIVEN_BACK", datetime.now(UTC))),
    )
