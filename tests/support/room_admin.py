"""Sends an organizer's requests for one waiting room over HTTP."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schema.scalars import write_date_time
from tests.support.queue_users import QueueUsers, open_queue
from tests.support.shop import Answer, OnSale, Shop, new_key

SETTINGS = """
    suspended queueingMethod totalActiveUsers newUsersPerMinute passClaimTimeoutSeconds sessionDurationSeconds
    prequeueStartsAt opensAt shuffleAtStart queueAll heartbeatTimeoutSeconds disconnectGraceSeconds message
"""
AUDIT = """
    nodes { personName action settingsVersion round changes { setting before after } call { asked called limit } }
    edges { cursor } pageInfo { hasNextPage hasPreviousPage }
"""
ROOM = f"""query ($id: ID!) {{
  waitingRoom(concertId: $id) {{
    {SETTINGS} status settingsVersion round servingNumber waitingCount slotsTaken passesIssued audit {{ {AUDIT} }}
  }}
  concert(id: $id) {{ version }}
}}"""
SETTINGS_OF = f"query ($id: ID!) {{ waitingRoom(concertId: $id) {{ {SETTINGS} }} }}"


def _mutation(name: str) -> str:
    type_ = name[0].upper() + name[1:]
    specific = "call { asked called limit }" if name == "admitNext" else "settingsVersion"
    return f"""mutation ($input: {type_}Input!) {{
      {name}(input: $input) {{
        __typename
        ... on {type_}Success {{ {specific} waitingRoom {{ status round settingsVersion }} }}
        ... on DomainError {{ code message }}
        ... on InvalidInputError {{ problems {{ path }} }}
        ... on IllegalTransitionError {{ illegal: status }}
        {"... on VersionConflictError { version }" if name != "admitNext" else ""}
        {"... on QueueOpenedError { settings }" if name == "configureWaitingRoom" else ""}
        {"... on RoomNotOpenError { status opensAt }" if name == "admitNext" else ""}
      }}
    }}"""


VERBS = {
    name: _mutation(name)
    for name in ("configureWaitingRoom", "pauseWaitingRoom", "resumeWaitingRoom", "admitNext", "resetWaitingRoom")
}


@dataclass(frozen=True, slots=True)
class RoomAdmin:
    """An organizer's client for the waiting room of one concert."""

    shop: Shop
    concert: OnSale

    async def ask(self, verb: str, by: str | None, /, **fields: object) -> Answer:
        """Send a mutation and return the whole answer."""
        return await self.shop.ask(VERBS[verb], by=by, input={"concertId": self.concert.id, **fields})

    async def result(self, verb: str, /, **fields: object) -> Answer:
        answer = await self.ask(verb, "olivia", **fields)
        assert "errors" not in answer, answer["errors"]
        return answer["data"][verb]

    async def configure(self, expected_version: int | None = None, /, **settings: object) -> Answer:
        return await self.result("configureWaitingRoom", expectedVersion=expected_version, settings=settings)

    async def pause(self) -> Answer:
        return await self.result("pauseWaitingRoom")

    async def resume(self) -> Answer:
        return await self.result("resumeWaitingRoom")

    async def admit(self, count: int, key: str | None = None) -> Answer:
        return await self.result("admitNext", count=count, idempotencyKey=key or new_key())

    async def reset(self, key: str | None = None, /, **fields: object) -> Answer:
        return await self.result("resetWaitingRoom", idempotencyKey=key or new_key(), **fields)

    async def everything(self) -> Answer:
        """Return the room and its audit as an organizer sees them, and the concert's version."""
        found = await self.shop.fields(ROOM, by="olivia", id=self.concert.id)
        return found["waitingRoom"] | {"concertVersion": found["concert"]["version"]}

    async def settings(self) -> Answer:
        return (await self.shop.fields(SETTINGS_OF, id=self.concert.id))["waitingRoom"]

    async def actions(self) -> list[str]:
        """Return the actions in the audit, newest first."""
        return [row["action"] for row in (await self.everything())["audit"]["nodes"]]


async def open_room_admin(shop: Shop, **settings: Any) -> tuple[RoomAdmin, QueueUsers]:
    """Put a concert with a waiting room on sale.

    Returns a client for its organizer and one for the people in its queue.
    """
    queue = await open_queue(shop, **settings)
    return RoomAdmin(shop, queue.concert), queue


def soon(**time: float) -> str:
    """Return the current time plus a delay, in the format that GraphQL uses."""
    return write_date_time(datetime.now(UTC).replace(microsecond=0) + timedelta(**time))
