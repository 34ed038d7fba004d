"""Who watches what of one concert: topics, in them groups that are shown the same, in them members."""

import asyncio
import logging
from collections.abc import Callable, Hashable

from domain.topics import Snapshot, Topic
from subscriptions.sources import Rendered, Source

log = logging.getLogger(__name__)

BREATH = 25
"""After so many deliveries everybody else has a turn: a hold must not wait for a thousand sockets."""

RENDER_WITHIN_S = 2.0

Deliver = Callable[[Rendered], None]


class Member:
    """One subscription. `first` ends with its first delivery, or with why there is none.

    It `is_due` from the first look that began after it came: what was read before might not show what its client did
    before subscribing.
    """

    __slots__ = ("deliver", "first", "is_due", "source")

    def __init__(self, source: Source, deliver: Deliver) -> None:
        self.source = source
        self.deliver = deliver
        self.is_due = False
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def is_fresh(self) -> bool:
        return not self.first.done()


class Watchers:
    def __init__(self) -> None:
        self._topics: dict[Topic, dict[Hashable, dict[Member, None]]] = {}
        self._fresh: dict[Member, None] = {}

    def add(self, member: Member) -> None:
        groups = self._topics.setdefault(member.source.topic, {})
        groups.setdefault(member.source.group, {})[member] = None
        self._fresh[member] = None

    def remove(self, member: Member) -> None:
        groups = self._topics.get(member.source.topic, {})
        members = groups.get(member.source.group, {})
        members.pop(member, None)
        self._fresh.pop(member, None)
        if not members:
            groups.pop(member.source.group, None)
        if not groups:
            self._topics.pop(member.source.topic, None)

    def __bool__(self) -> bool:
        return bool(self._topics)

    def topics(self) -> tuple[Topic, ...]:
        return tuple(self._topics)

    def is_watched(self, topic: Topic) -> bool:
        return topic in self._topics

    def fresh(self) -> list[Member]:
        """Who was shown nothing yet."""
        for member in [member for member in self._fresh if not member.is_fresh]:
            del self._fresh[member]
        return list(self._fresh)

    def make_due(self) -> list[Topic]:
        """A look begins: whoever is there now may be shown what it reads. What those watch who were shown nothing."""
        fresh = self.fresh()
        for member in fresh:
            member.is_due = True
        return [member.source.topic for member in fresh]

    async def show(self, topic: Topic, snapshot: Snapshot, *, only_fresh: bool = False, is_all: bool = True) -> bool:
        """Renders once for each group, and hands the same bytes to each of its members.

        `is_all`: with this a fresh member has seen what there is. False if a group could not be shown it; a group that
        fails, or takes too long, keeps nobody else from their news.
        """
        groups: list[list[Member]] = []
        for members in self._topics.get(topic, {}).values():
            shown_to = [member for member in members if member.is_due and (member.is_fresh or not only_fresh)]
            if shown_to:
                groups.append(shown_to)
        if len(groups) == 1:
            return await _show(topic, groups[0], snapshot, is_all=is_all)
        # One that waits for a database keeps the others waiting no longer than itself.
        return all(await asyncio.gather(*[_show(topic, group, snapshot, is_all=is_all) for group in groups]))


async def _show(topic: Topic, members: list[Member], snapshot: Snapshot, *, is_all: bool) -> bool:
    source = members[0].source
    try:
        rendered = source.at_once(snapshot)
        if rendered is None:
            async with asyncio.timeout(RENDER_WITHIN_S):
                rendered = await source.render(snapshot)
    except Exception as error:
        log.exception("%s cannot be shown", topic)
        _refuse(members, error)
        return False
    await _deliver(members, rendered, is_all=is_all)
    return True


async def _deliver(members: list[Member], rendered: Rendered, *, is_all: bool) -> None:
    for count, member in enumerate(members, start=1):
        member.deliver(rendered)
        if is_all and member.is_fresh:
            member.first.set_result(None)
        if count % BREATH == 0:
            await asyncio.sleep(0)


def _refuse(members: list[Member], error: Exception) -> None:
    for member in members:
        if member.is_fresh:
            member.first.set_exception(error)
