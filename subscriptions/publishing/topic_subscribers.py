"""The subscribers of one topic, by group.

A subscriber is pending until its first payload was delivered, and then a member of a group. A
snapshot without changes is only for pending subscribers, and costs nothing for the members.
"""

import asyncio
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from domain.topics import Snapshot
from subscriptions.interfaces import Deliver, Rendered, SharedGroup, Source


class Subscriber:
    """One subscription.

    `first_delivery` completes with its first payload, or with the error that prevents it.
    `is_included` is true from the first refresh that begins after the subscriber was added, because
    an earlier snapshot might not show what its client did before subscribing.
    """

    __slots__ = ("_first_delivery", "deliver", "group", "is_included", "source")

    def __init__(self, source: Source, deliver: Deliver) -> None:
        self.source = source
        self.deliver = deliver
        self.is_included = False
        self.group: Group | None = None
        """The group of a member; None for a pending subscriber."""
        self._first_delivery: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()

    @property
    def first_delivery(self) -> "asyncio.Future[None]":
        assert self._first_delivery is not None
        return self._first_delivery

    @property
    def is_pending(self) -> bool:
        return self._first_delivery is not None and not self._first_delivery.done()

    def complete(self) -> None:
        """Complete the first delivery."""
        if self.is_pending:
            self.first_delivery.set_result(None)

    def fail(self, error: Exception) -> None:
        """Complete a pending first delivery with this error."""
        if self.is_pending:
            self.first_delivery.set_exception(error)

    def join(self, group: "Group") -> None:
        """Become a member, for which the first delivery is no longer needed."""
        self._first_delivery = None
        self.group = group
        group.members[self] = None

    def stop(self) -> None:
        """Deliver nothing from now on, even from a delivery in progress."""
        self.deliver = _discard


def _discard(_rendered: Rendered) -> None:
    pass


@dataclass(eq=False, slots=True)
class Group:
    """The members who get the same bytes."""

    key: Hashable
    members: dict[Subscriber, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The subscribers of one group who get a payload now.

    The lists are copies, because subscribers come and go during a delivery.
    """

    key: Hashable
    shared: SharedGroup | None
    """Renders the payload; if None, the source of any subscriber does."""
    pending: list[Subscriber] = field(default_factory=list)
    members: list[Subscriber] = field(default_factory=list)

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        """Return the payload, or None if `render` has to execute the operation."""
        return self._any_source.render_cached(snapshot) if self.shared is None else None

    async def render(self, snapshot: Snapshot) -> Rendered | None:
        """Return the payload, or None if it cannot be shared."""
        if self.shared is not None:
            return await self.shared.render(snapshot)
        return await self._any_source.render(snapshot)

    @property
    def _any_source(self) -> Source:
        return (self.pending or self.members)[0].source


class TopicSubscribers:
    __slots__ = ("_groups", "_pending", "_varying")

    def __init__(self) -> None:
        self._groups: dict[Hashable, Group] = {}
        self._pending: dict[Subscriber, None] = {}
        self._varying: dict[Subscriber, None] | None = None
        """The members whose rights may change. Few people organize concerts."""

    def __bool__(self) -> bool:
        return bool(self._groups or self._pending)

    def __iter__(self) -> Iterator[Subscriber]:
        yield from self._pending
        for group in self._groups.values():
            yield from group.members

    def add(self, subscriber: Subscriber) -> None:
        self._pending[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        subscriber.stop()
        self._pending.pop(subscriber, None)
        if self._varying is not None:
            self._varying.pop(subscriber, None)
        self._leave_group(subscriber)

    def deliveries(self, snapshot: Snapshot, *, only_pending: bool) -> list[Delivery]:
        """Return the deliveries of this snapshot, one for each group."""
        found: dict[Hashable, Delivery] = {}
        self._admit_completed(snapshot)
        if not only_pending:
            self._regroup(snapshot)
            for group in self._groups.values():
                shared = _any_source(group).shared_group(snapshot)
                found[group.key] = Delivery(group.key, shared, members=list(group.members))
        for subscriber in self._pending:
            if subscriber.is_included:
                shared = subscriber.source.shared_group(snapshot)
                key = _key(subscriber.source, shared)
                found.setdefault(key, Delivery(key, shared)).pending.append(subscriber)
        return list(found.values())

    def _admit_completed(self, snapshot: Snapshot) -> None:
        """Admit the subscribers whose first delivery was completed by a publisher itself."""
        for subscriber in [one for one in self._pending if not one.is_pending]:
            source = subscriber.source
            self._admit(subscriber, _key(source, source.shared_group(snapshot)))

    def admit(self, delivery: Delivery) -> None:
        """Complete the first delivery of the pending subscribers, who become members."""
        for subscriber in delivery.pending:
            if subscriber in self._pending:
                subscriber.complete()
                self._admit(subscriber, delivery.key)

    def split(self, delivery: Delivery) -> list[Delivery]:
        """Return the deliveries to those who got no payload, because it cannot be shared."""
        found: dict[Hashable, Delivery] = {}
        for subscriber in delivery.pending:
            if subscriber in self._pending:
                key = subscriber.source.group
                found.setdefault(key, Delivery(key, None)).pending.append(subscriber)
        for subscriber in delivery.members:
            if subscriber.group is not None:
                key = subscriber.source.group
                found.setdefault(key, Delivery(key, None)).members.append(subscriber)
        return list(found.values())

    def _regroup(self, snapshot: Snapshot) -> None:
        """Move each member that belongs to another group at this snapshot."""
        for subscriber in list(self._varying or ()):
            self._move(subscriber, snapshot)
        for group in list(self._groups.values()):
            source = _any_source(group)
            if _key(source, source.shared_group(snapshot)) != group.key:
                # The members no longer share anything: a field has read the viewer.
                for subscriber in list(group.members):
                    self._move(subscriber, snapshot)

    def _move(self, subscriber: Subscriber, snapshot: Snapshot) -> None:
        source = subscriber.source
        key = _key(source, source.shared_group(snapshot))
        if subscriber.group is None or subscriber.group.key != key:
            self._leave_group(subscriber)
            subscriber.join(self._groups.setdefault(key, Group(key)))

    def _admit(self, subscriber: Subscriber, key: Hashable) -> None:
        del self._pending[subscriber]
        if not self._pending:
            # A dict keeps its memory when it becomes empty.
            self._pending = {}
        subscriber.join(self._groups.setdefault(key, Group(key)))
        if subscriber.source.has_varying_rights:
            self._varying = self._varying or {}
            self._varying[subscriber] = None

    def _leave_group(self, subscriber: Subscriber) -> None:
        group, subscriber.group = subscriber.group, None
        if group is not None:
            del group.members[subscriber]
            if not group.members:
                del self._groups[group.key]


def _any_source(group: Group) -> Source:
    return next(iter(group.members)).source


def _key(source: Source, shared: SharedGroup | None) -> Hashable:
    return source.group if shared is None else shared
