"""Gauges of payments: stuck orders, payment events that need a person's attention, and the age of
the oldest due order.
"""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from storage.connect import Stores
from web.monitoring.store_gauges import StoreGauges


class PaymentGauges(StoreGauges):
    name = "payment"
    store = "MongoDB"

    async def fill(self, registry: CollectorRegistry, stores: Stores, now: datetime) -> None:
        concerts = await stores.concert_cache.list_all()
        figures = await stores.payment_figures.read([concert.id for concert in concerts], now)
        stuck = Gauge("onsale_stuck_orders", "Stuck orders, by reason.", ["reason"], registry=registry)
        events = Gauge("onsale_payment_inbox", "Payment events kept back, by state.", ["state"], registry=registry)
        oldest = Gauge("onsale_oldest_due_order_seconds", "Age of the oldest due work, or 0.", registry=registry)
        for reason, count in figures.stuck.items():
            stuck.labels(reason.value).set(count)
        for state, count in figures.events.items():
            events.labels(state.lower()).set(count)
        oldest.set((now - figures.oldest_due_at).total_seconds() if figures.oldest_due_at else 0)
