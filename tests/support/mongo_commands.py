"""Records the commands that stores send to MongoDB."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from storage.mongo import client

WRITES = frozenset({"insert", "update", "delete", "findAndModify"})


@dataclass(frozen=True, slots=True)
class SentCommand:
    name: str
    collection: str
    write_concern: object
    """None for a read."""


@dataclass
class MongoCommands(CommandListener):
    sent: list[SentCommand] = field(default_factory=list)

    def started(self, event: CommandStartedEvent) -> None:
        concern = event.command.get("writeConcern", {}).get("w")
        self.sent.append(SentCommand(event.command_name, str(event.command[event.command_name]), concern))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def majority_writes(self) -> list[SentCommand]:
        """Return the writes that wait for a majority, one for each command."""
        return [sent for sent in self.sent if sent.name in WRITES and sent.write_concern == "majority"]


@contextmanager
def recorded_commands() -> Iterator[MongoCommands]:
    """Record the commands of all stores that are opened within the block."""
    commands = MongoCommands()
    with pytest.MonkeyPatch.context() as patch:
        recording = functools.partial(AsyncIOMotorClient, event_listeners=[commands])
        patch.setattr(client, "AsyncIOMotorClient", recording)
        yield commands
