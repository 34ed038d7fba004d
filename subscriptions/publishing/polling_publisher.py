"""The loop of a publisher that has no hints. It reads its topics after each pause, and as soon as a
subscriber is added.
"""

import asyncio
import logging
from abc import ABC, abstractmethod

from domain.errors import TemporarilyUnavailable
from subscriptions.publishing.subscriber_groups import Subscriber, SubscriberGroups
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)


class PollingPublisher(ABC):
    """The hub owns the task of `run`, which ends when no subscriber is left."""

    name: str
    """The subject of the publisher, for the log."""

    def __init__(self) -> None:
        self._groups = SubscriberGroups()
        self._wake = asyncio.Event()
        self._outage = OutageLog(log, f"publishing {self.name}")
        self.is_running = False

    @property
    @abstractmethod
    def pause_s(self) -> float:
        """Return the seconds until the next refresh."""

    @abstractmethod
    async def refresh(self) -> None:
        """Read the topics that have subscribers, and publish those that have changed.

        Raises TemporarilyUnavailable.
        """

    def add(self, subscriber: Subscriber) -> None:
        self._groups.add(subscriber)
        self._wake.set()

    def remove(self, subscriber: Subscriber) -> None:
        self._groups.remove(subscriber)

    async def run(self) -> None:
        try:
            while True:
                # A subscriber that is added during the refresh causes the next one.
                self._wake.clear()
                try:
                    await self.refresh()
                    self._outage.succeeded(self.name)
                except TemporarilyUnavailable as error:
                    self._outage.failed(self.name, error)
                    self._groups.fail_pending(error)
                except Exception as error:
                    log.exception("publishing %s failed", self.name)
                    self._groups.fail_pending(error)
                if not self._groups:
                    return
                try:
                    async with asyncio.timeout(self.pause_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self.is_running = False
