"""A shop whose tickets are passed on and checked in, and the steps that people take in it.

The emails with the links are kept in memory, and codes are signed with the keys of the shop.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain.ids import ConcertId, OrderId, ordinal_of, ticket_id, tier_of
from domain.limits.rates import NO_LIMITS, RateLimits
from domain.orders import Order
from schema.ids import concert_argument, decode, of_ticket
from storage.connect import Stores
from tests.support.shop import TICKET_KEYS, Answer, OnSale, Shop, lines, moment, new_key, person_id, shop_on
from tests.support.transfer_mails import MailsInMemory
from tickets.codes import CodeContent, sign_code
from tickets.keys import TicketKeys

UPDATE = "mutation ($input: UpdateConcertInput!) { updateConcert(input: $input) { __typename } }"
_ERRORS = """
    __typename
    ... on DomainError { code message retryable }
    ... on InvalidInputError { problems { path message } }
"""
_TICKET = """
    id holderName checkIn { scannedAt deviceId scanId } duplicateScans { scanId }
    transfer { email requestedAt expiresAt }
"""
_MUTATIONS = {
    "transferTicket": "... on TransferTicketSuccess { ticket { %s } } ... on TransferRefusedError { reason }",
    "cancelTicketTransfer": (
        "... on CancelTicketTransferSuccess { ticket { %s } } ... on TransferRefusedError { reason }"
    ),
    "acceptTicketTransfer": (
        "... on AcceptTicketTransferSuccess { ticket { %s } } ... on TransferRefusedError { reason }"
    ),
    "checkInTicket": """
        ... on CheckInTicketSuccess { ticket { %s } checkIn { scannedAt deviceId scanId } }
        ... on AlreadyCheckedInError { checkIn { scannedAt deviceId scanId } }
        ... on ScanRefusedError { reason }
    """,
    "checkInTickets": """
        ... on CheckInTicketsSuccess {
          results { scanId outcome problem message checkIn { scanId deviceId } ticket { %s } }
        }
    """,
    "refundOrder": (
        "... on RefundOrderSuccess { order { id status refunds { state lines { quantity } } } }"
        " ... on NotRefundableError { reason }"
    ),
}


@dataclass(kw_only=True)
class TicketShop:
    shop: Shop
    mails: MailsInMemory
    keys: TicketKeys

    async def on_sale(self, **changes: object) -> OnSale:
        """Put a concert of olivia's on sale where gus works at the gate."""
        until = moment(datetime.now(UTC) + timedelta(days=1))
        concert = await self.shop.on_sale(**{"refundsUntil": until, **changes})
        change = {"concertId": concert.id, "gatePeople": [person_id("gus")]}
        await self.shop.fields(UPDATE, by="olivia", input=change)
        return concert

    async def buy(self, concert: OnSale, count: int = 1, *, by: str = "alice") -> Order:
        """Buy free tickets, and return the stored order."""
        bought = await self.shop.buy({"concertId": concert.id, "lines": lines(concert, count)}, by=by)
        return await self.stored(OrderId(decode(bought["order"]["id"]).parts[0]))

    async def stored(self, order: Order | OrderId) -> Order:
        found = await self.shop.stores.orders.get(order.id if isinstance(order, Order) else order)
        assert found is not None
        return found

    async def run(self, mutation: str, input_: Mapping[str, object], *, by: str | None, **claims: object) -> Answer:
        """Run a mutation, and return its result, or its top-level error."""
        name = f"{mutation[0].upper()}{mutation[1:]}Input"
        selection = _MUTATIONS[mutation].replace("%s", _TICKET)
        document = f"mutation ($input: {name}!) {{ {mutation}(input: $input) {{ {_ERRORS} {selection} }} }}"
        answer = await self._ask(document, {"input": input_}, by, claims)
        return answer["errors"][0] if "errors" in answer else answer["data"][mutation]

    async def _ask(
        self, document: str, variables: Mapping[str, object], by: str | None, claims: Mapping[str, object]
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.shop.token(by, **claims)}"} if by else {}
        body = {"query": document, "variables": variables}
        return (await self.shop.client.post("/graphql", json=body, headers=headers)).json()

    async def offer(self, order: Order, email: str, *, index: int = 0, by: str = "alice") -> Answer:
        return await self.run("transferTicket", {"ticketId": global_id(order, index), "email": email}, by=by)

    async def accept(self, token: str, *, by: str = "bob", email: str | None = None) -> Answer:
        """Accept the ticket of a link while signed in with this address or the usual one."""
        claims = {"email": email or f"{by}@onsale.example", "preferred_username": by.capitalize()}
        return await self.run("acceptTicketTransfer", {"token": token}, by=by, **claims)

    async def look_at_offer(self, token: str, *, by: str | None, **claims: object) -> Answer:
        """Return what the link of an offer shows."""
        document = "query ($token: String!) { ticketOffer(token: $token) { problem concert { id } tier { id } } }"
        return (await self._ask(document, {"token": token}, by, claims))["data"]["ticketOffer"]

    async def pass_on(self, order: Order, *, to: str = "bob") -> Order:
        """Pass alice's first ticket on, and return the stored order."""
        address = f"{to}@onsale.example"
        await self.offer(order, address)
        accepted = await self.accept(self.mails.token_for(address), by=to)
        assert accepted["__typename"] == "AcceptTicketTransferSuccess", accepted
        return await self.stored(order)

    def code(self, order: Order, index: int = 0, *, generation: int | None = None) -> str:
        """Return the code of a ticket, by default the newest one."""
        ticket = order.tickets[index]
        content = CodeContent(
            ticket_id(order.id, ticket.unit),
            generation or ticket.generation,
            ordinal_of(tier_of(ticket.unit)),
            order.created_at + timedelta(days=400),
        )
        return sign_code(self.keys.signing_key(order.concert_id), content)

    async def scan(
        self, concert: OnSale, code: str, *, scan_id: str | None = None, device: str = "north gate", by: str = "gus"
    ) -> Answer:
        input_ = {"concertId": concert.id, "code": code, "deviceId": device, "scanId": scan_id or new_key()}
        return await self.run("checkInTicket", input_, by=by)

    async def upload(self, concert: OnSale, *scans: dict[str, object], by: str = "gus") -> Answer:
        """Send the scans of an offline scanner, and return the result."""
        return await self.run("checkInTickets", {"concertId": concert.id, "scans": list(scans)}, by=by)


def offline_scan(
    code: str, at: datetime, *, scan_id: str | None = None, device: str = "south gate"
) -> dict[str, object]:
    return {"code": code, "scannedAt": moment(at), "deviceId": device, "scanId": scan_id or new_key()}


def global_id(order: Order, index: int = 0) -> str:
    return of_ticket(order.concert_id, ticket_id(order.id, order.tickets[index].unit))


def concert_of(concert: OnSale) -> ConcertId:
    return concert_argument(concert.id)


@asynccontextmanager
async def open_ticket_shop(
    stores: Stores, redis_url: str, *, rates: RateLimits = NO_LIMITS
) -> AsyncIterator[TicketShop]:
    mails = MailsInMemory()
    async with shop_on(stores, redis_url, rates=rates, transfer_mails=mails) as shop:
        yield TicketShop(shop=shop, mails=mails, keys=TICKET_KEYS)
