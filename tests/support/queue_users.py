"""Sends requests over HTTP on behalf of the people in a queue."""

from dataclasses import dataclass

from domain.concerts import Concert
from schema.ids import concert_argument
from tests.support.shop import Answer, OnSale, Shop, new_key
from workers.admission import AdmissionWorker

_ENTRY = """
    id number state position joinedAt expiresAt expiresInSeconds concert { id }
    pass { token status expiresAt expiresInSeconds }
"""


def _mutation(name: str) -> str:
    type_ = name[0].upper() + name[1:]
    refused = "... on NotAdmittedError { position reason }" if name == "claimQueuePass" else ""
    return f"""mutation ($input: {type_}Input!) {{
      {name}(input: $input) {{
        __typename
        ... on {type_}Success {{ entry {{ {_ENTRY} }} }}
        ... on DomainError {{ code message retryable retryAfterSeconds }}
        ... on InvalidInputError {{ problems {{ path message }} }}
        {refused}
      }}
    }}"""


VERBS = {name: _mutation(name) for name in ("joinQueue", "leaveQueue", "heartbeat", "claimQueuePass")}
QUEUE_ENTRY = f"query ($id: ID!) {{ queueEntry(concertId: $id) {{ {_ENTRY} }} }}"
ROOM = """query ($id: ID!) {
  waitingRoom(concertId: $id) {
    suspended totalActiveUsers newUsersPerMinute passClaimTimeoutSeconds sessionDurationSeconds heartbeatTimeoutSeconds
    disconnectGraceSeconds servingNumber waitingCount slotsTaken passesIssued
  }
}"""


@dataclass(frozen=True, slots=True)
class QueueUsers:
    """The queue of one concert.

    The suffix distinguishes its people from those in other queues.
    """

    shop: Shop
    concert: OnSale
    suffix: str

    def name(self, who: str) -> str:
        return f"{who} of {self.suffix}"

    async def read_concert(self) -> Concert:
        """Return the concert as the server stores it."""
        found = await self.shop.stores.concerts.get(concert_argument(self.concert.id))
        assert found is not None
        return found

    async def ask(self, verb: str, by: str | None) -> Answer:
        """Send a mutation and return the whole answer."""
        return await self.shop.ask(VERBS[verb], by=by and self.name(by), input={"concertId": self.concert.id})

    async def result(self, verb: str, by: str) -> Answer:
        answer = await self.ask(verb, by)
        assert "errors" not in answer, answer["errors"]
        return answer["data"][verb]

    async def join(self, *people: str) -> list[Answer]:
        """Let people join one after another, and return their entries."""
        return [(await self.result("joinQueue", who))["entry"] for who in people]

    async def read_entry(self, by: str) -> Answer:
        """Return the viewer's entry, or None."""
        return (await self.shop.fields(QUEUE_ENTRY, by=self.name(by), id=self.concert.id))["queueEntry"]

    async def room(self) -> Answer:
        return (await self.shop.fields(ROOM, id=self.concert.id))["waitingRoom"]

    async def call(self) -> None:
        """Run the admission worker once."""
        await AdmissionWorker().run_once(self.shop.stores)

    async def admitted(self, who: str) -> str:
        """Let a person join, be called and claim the pass. Return the pass."""
        await self.join(who)
        await self.call()
        token = (await self.result("claimQueuePass", who))["entry"]["pass"]["token"]
        assert isinstance(token, str)
        return token


async def open_queue(shop: Shop, *, suffix: str | None = None, **settings: object) -> QueueUsers:
    """Put a concert with a waiting room on sale."""
    return QueueUsers(shop, await shop.on_sale(waitingRoom={"suspended": False, **settings}), suffix or new_key())
