"""Paid orders, their mails, and the workers that send them, on real stores and a clock that tests
move.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email.headerregistry import Address
from typing import Any

from domain.concerts import Concert
from domain.ids import ticket_id
from domain.mails.mail import Mail
from domain.orders import Order
from domain.tickets.transfer_links import new_transfer_token
from domain.tickets.transfers import request_transfer
from mail.letters import Site
from mail.mailer import Mailer
from resolvers.tickets.transfer_mails import TransferMail
from storage.mongo.order_documents import order_document
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.payment_saga import Till, concert_for_sale
from workers.mail.effect import queue_mails
from workers.mail.sending import MailWorker

SENDER = Address("Onsale", "tickets", "onsale.example")
SITE = Site("https://tickets.example.org", "https://tickets.example.org/tickets/accept")


@dataclass
class MailShop:
    till: Till
    server: MailServer
    concert: Concert
    worker: MailWorker

    def make_worker(self, **changes: Any) -> MailWorker:
        """Return the worker of another process, with changes to its mailer."""
        return MailWorker(replace(make_mailer(self.server), **changes), clock=self.till.now)

    def pass_time(self, time: timedelta) -> None:
        self.till.ahead += time

    async def buy(self, who: str = "alice", *, name: str | None = None, email: str | None = None) -> Order:
        """Return a paid order whose confirmation is queued."""
        order = await self.till.paid_order(self.concert, 1, who=who)
        if name or email:
            customer = replace(order.customer, name=name or order.customer.name, email=email or order.customer.email)
            # Stored as an earlier version did, which checked less.
            order = replace(order, customer=customer)
            await self.till.stores.orders.collection.replace_one({"_id": order.id}, order_document(order))
        await queue_mails(self.till.stores, [order])
        return order

    async def send(self, worker: MailWorker | None = None) -> int:
        """Do one round of sending, and return how many mails were sent, dropped or given up."""
        return await (worker or self.worker).run_once(self.till.stores)

    async def stored(self, id_: str) -> Mail:
        found = await self.till.stores.mails.get(id_)
        assert found is not None
        return found


async def offer_ticket(shop: MailShop, order: Order, *, to: str = "bob@example.org") -> tuple[Order, str, TransferMail]:
    """Offer the only ticket of an order. Return the order, the token, and the mail to queue."""
    token = new_transfer_token(order.concert_id, ticket_id(order.id, order.tickets[0].unit))
    offered = request_transfer(
        order, token.ticket_id, holder=order.person_id, email=to, secret_digest=token.digest, now=shop.till.now()
    )
    await shop.till.stores.order_updates.update(offered)
    ticket = offered.tickets[0]
    assert ticket.transfer is not None
    return offered, str(token), TransferMail(offered, ticket, ticket.transfer, token)


def make_mailer(server: MailServer | None, **changes: Any) -> Mailer:
    made = Mailer(server.address() if server else None, SENDER, SITE, keeps_copies=False)
    return replace(made, **changes)


def confirmation_id(order: Order) -> str:
    return f"confirm:{order.id}"


def message_id(order: Order) -> str:
    return f"<confirm.{order.id}@onsale.example>"


@asynccontextmanager
async def open_mail_shop(till: Till) -> AsyncIterator[MailShop]:
    async with running_mail_server() as server:
        concert = await concert_for_sale(till, 50, prices=(4_950,), limit_per_person=50)
        yield MailShop(till, server, concert, MailWorker(make_mailer(server), clock=till.now))
