"""The handlers of effects. Each does one effect for many orders.

An effect without a handler stays due, and its orders are parked until a worker has one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from domain.ids import OrderId
from domain.orders import Order
from domain.payments.effects import DOCUMENT, MAIL, SALES
from storage.connect import Stores
from tickets.documents.library import DocumentLibrary
from workers.documents.effect import DocumentEffect
from workers.effects.sales import record_sales
from workers.mail.effect import queue_mails

EffectHandler = Callable[[Stores, Sequence[Order]], Awaitable[Mapping[OrderId, str | None]]]
"""Does an effect for orders. For each order it returns why the effect failed, or None if it was
done.

A handler may be called again for an order whose effect was done, and must then change nothing. It
may raise TemporarilyUnavailable, which means that the effect failed for all of these orders.
"""
EffectHandlers = Mapping[str, EffectHandler]
"""By the name of the effect. The effect `tickets` needs no handler."""


@asynccontextmanager
async def open_effect_handlers(library: DocumentLibrary) -> AsyncIterator[EffectHandlers]:
    """Provide the handlers with the resources they need, and close these at the end of the
    block.
    """
    yield {DOCUMENT: DocumentEffect(library), MAIL: queue_mails, SALES: record_sales}
