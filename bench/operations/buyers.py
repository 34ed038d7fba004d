"""The operations of the buyers in one sale with a waiting room, and the requests that send them."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from bench.clients.catalog import SaleConcert
from bench.metrics import NotMeasured
from bench.peers.onsale import CLAIM
from bench.queueing.joins import JOIN
from bench.queueing.joins import SUCCESS as JOINED
from bench.queueing.load import Connection, make_graphql_request
from bench.queueing.users import User
from bench.stock_sale import HOLD, StockSale

CALLED_WITHIN_S = 60.0
POLL_S = 0.1
HEARTBEAT = """mutation ($input: HeartbeatInput!) {
  heartbeat(input: $input) {
    __typename
    ... on HeartbeatSuccess { entry { state number position } }
    ... on DomainError { code message }
  }
}"""
PURCHASE = """mutation ($input: PurchaseTicketsInput!) {
  purchaseTickets(input: $input) {
    __typename
    ... on PurchaseTicketsSuccess { order { id status lines { tierId quantity } total { minor } } }
    ... on DomainError { code message }
  }
}"""
CATALOG = """query Concerts($first: Int = 24) {
  concerts(first: $first) {
    totalCount
    isTotalCountExact
    nodes {
      id version epoch status salesStartAt salesEndAt slug name artist genre startsAt
      venue { name city country timeZone }
      image { alt sizes { url width height } }
      stock {
        version epoch soldOut
        priceRange { lowest { amount currency } highest { amount currency } }
        tiers { tierId available }
      }
      waitingRoom { version epoch status prequeueStartsAt opensAt }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""
"""The query of the shop's catalog, with its fragments written out."""
WAITING = "query ($id: ID!) { waitingRoom(concertId: $id) { waitingCount } }"
PAUSE, RESUME = (
    f"mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ __typename }} }}"
    for name in ("pauseWaitingRoom", "resumeWaitingRoom")
)


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    success: str
    """A text that each successful answer contains."""
    requests: Sequence[bytes]


@dataclass(slots=True)
class Buyers:
    """The people who buy tickets for one concert, each once."""

    sale: StockSale
    concert: SaleConcert
    organizer: str
    """The access token of the concert's organizer."""
    passes: list[str] = field(default_factory=list)
    """The queue passes of the people, once they are claimed."""

    def list_waiting(self, pages: int) -> Iterator[Operation]:
        """Yield what people do before they are called; some of them also open the catalog."""
        catalog = [self._make_request(CATALOG, {}, user) for user in self.sale.people[:pages]]
        yield Operation("catalog page", f'"{self.concert.id}"', catalog)
        yield Operation("join", JOINED, self._for_each(JOIN))
        yield Operation("heartbeat", '"HeartbeatSuccess"', self._for_each(HEARTBEAT))

    def list_called(self) -> Iterator[Operation]:
        """Yield what people do after they have been called. The first one is to claim a pass."""
        yield Operation("claim", '"ClaimQueuePassSuccess"', self._for_each(CLAIM))
        ordered = {"lines": [{"tierId": self.concert.tier_ids[0], "quantity": 1}]}
        holds = [{**ordered, "idempotencyKey": f"hold-{number}", "queuePass": one} for number, one in self._passes()]
        yield Operation("hold, the first with its pass", '"HoldTicketsSuccess"', self._for_each(HOLD, holds))
        customer = {"customerName": "A Buyer", "customerEmail": "buyer@example.com"}
        purchases = [
            {
                "what": {"newHold": {"concertId": self.concert.id, **ordered, "queuePass": one}},
                "idempotencyKey": f"purchase-{number}",
                **customer,
            }
            for number, one in self._passes()
        ]
        yield Operation(
            "purchase",
            '"PurchaseTicketsSuccess"',
            [
                self._make_request(PURCHASE, {"input": input_}, user)
                for input_, user in zip(purchases, self.sale.people, strict=True)
            ],
        )

    def keep_passes(self, answers: Sequence[bytes]) -> None:
        """Keep the passes in the answers to the claims."""
        entries = [orjson.loads(answer)["data"]["claimQueuePass"]["entry"] for answer in answers]
        self.passes = [entry["pass"]["token"] for entry in entries]

    async def pause(self) -> None:
        """Let no more people be called."""
        await self._organize(PAUSE)

    async def resume(self) -> None:
        """Let people be called again, and wait until everyone in the queue is.

        Raises NotMeasured if that takes too long.
        """
        await self._organize(RESUME)
        deadline = time.monotonic() + CALLED_WITHIN_S
        while waiting := await self._count_waiting():
            if time.monotonic() > deadline:
                raise NotMeasured(f"{waiting} people were not called within {CALLED_WITHIN_S:.0f} s")
            await asyncio.sleep(POLL_S)

    async def _count_waiting(self) -> int:
        waiting: int = (await self.sale.ask(WAITING, {"id": self.concert.id}, None))["waitingCount"]
        return waiting

    async def _organize(self, document: str) -> None:
        answer = await self.sale.ask(document, {"input": {"concertId": self.concert.id}}, self.organizer)
        if not str(answer["__typename"]).endswith("Success"):
            raise NotMeasured(f"the organizer was refused: {answer}")

    def _passes(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.passes)

    def _for_each(self, document: str, inputs: Sequence[Mapping[str, object]] = ()) -> list[bytes]:
        """Return a request of each person, with an input that also names the concert."""
        people = self.sale.people
        return [
            self._make_request(document, {"input": {"concertId": self.concert.id, **input_}}, user)
            for input_, user in zip(inputs or [{}] * len(people), people, strict=True)
        ]

    def _make_request(self, document: str, variables: Mapping[str, object], user: User) -> bytes:
        return make_graphql_request(self.sale.app.port, document, variables, user.token)


async def answer_all(opened: Sequence[Connection], requests: Sequence[bytes]) -> list[bytes]:
    """Send the requests, one at a time on each connection, and return their answers in order."""
    left = iter(enumerate(requests))
    answers = [b""] * len(requests)

    async def work(connection: Connection) -> None:
        for number, request in left:
            answers[number] = await connection.send(request)

    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(work(connection))
    return answers
