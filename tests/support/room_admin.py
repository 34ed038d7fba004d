"""The requests of an organizer to one waiting room over HTTP, and the whole state of the room."""

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


def _verb(name: str) -> str:
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
    name: _verb(name)
    for name in ("configureWaitingRoom", "pauseWaitingRoom", "resumeWaitingRoom", "admitNext", "resetWaitingRoom")
}


@dataclass(frozen=True, slots=True)
class RoomAdmin:
    """The organizer's client of one concert's room."""

    shop: Shop
    concert: OnSale

    async def ask(self, verb: str, by: str | None, /, **wish: object) -> Answer:
        """Send a mutation, and return its whole answer."""
        return await self.shop.ask(VERBS[verb], by=by, input={"concertId": self.concert.id, **wish})

    async def result(self, verb: str, /, **wish: object) -> Answer:
        answer = await self.ask(verb, "olivia", **wish)
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

    async def reset(self, key: str | None = None, /, **wish: object) -> Answer:
        return await self.result("resetWaitingRoom", idempotencyKey=key or new_key(), **wish)

    async def everything(self) -> Answer:
        """Return the room with its audit, as shown to an organizer, and the concert's version."""
        found = await self.shop.fields(ROOM, by="olivia", id=self.concert.id)
        return found["waitingRoom"] | {"concertVersion": found["concert"]["version"]}

    async def settings(self) -> Answer:
        return (await self.shop.fields(SETTINGS_OF, id=self.concert.id))["waitingRoom"]

    async def actions(self) -> list[str]:
        """Return the audited actions, newest first."""
        return [row["action"] for row in (await self.everything())["audit"]["nodes"]]


async def open_room_admin(shop: Shop, **settings: Any) -> tuple[RoomAdmin, QueueUsers]:
    """Open a concert with a waiting room; return the clients of its organizer and of its people."""
    queue = await open_queue(shop, **settings)
    return RoomAdmin(shop, queue.concert), queue


def soon(**time: float) -> str:
    """Return the current time plus a delay, as GraphQL writes it."""
    return write_date_time(datetime.now(UTC).replace(microsecond=0) + timedelta(**time))
