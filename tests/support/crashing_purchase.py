"""`python -m tests.support.crashing_purchase`: buys a hold and kills itself during the purchase.

Arguments: Redis URL, MongoDB URL, database, concert id, hold id, person, when.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from domain.ids import ConcertId, HoldId, PersonId
from payments.saga.order_payments import OrderPayments
from payments.unreachable import UnreachableProvider
from resolvers.purchase import Purchase
from storage.connect import Stores, open_stores
from tests.support.sale import CUSTOMER

STEPS = ("before-begin", "after-begin", "after-insert", "after-record")


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash_after(call: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapped(*args: Any, **kwargs: Any) -> None:
        await call(*args, **kwargs)
        crash()

    return wrapped


async def buy(stores: Stores, purchase: Purchase, when: str) -> None:
    match when:
        case "before-begin":
            crash()
        case "after-begin":
            stores.holds.begin_purchase = crash_after(stores.holds.begin_purchase)  # type: ignore[method-assign]
        case "after-insert":
            stores.order_batch.insert = crash_after(stores.order_batch.insert)  # type: ignore[method-assign]
        case "after-record":
            stores.order_sync.record = crash_after(stores.order_sync.record)  # type: ignore[method-assign]
    await purchase.run(stores, OrderPayments(stores, UnreachableProvider()))


async def main() -> None:
    redis_url, mongo_url, database, concert_id, hold_id, person, when = sys.argv[1:]
    purchase = Purchase(ConcertId(concert_id), HoldId(hold_id), PersonId(person), CUSTOMER, key="k", digest="d")
    async with open_stores(redis_url, mongo_url, database) as stores:
        await buy(stores, purchase, when)


if __name__ == "__main__":
    asyncio.run(main())
