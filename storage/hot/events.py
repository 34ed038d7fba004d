"""The event stream of a concert's queue, as consumers see it. Scripts that change the queue append
events to it.

Every group receives each event at least once. Until an event is acknowledged, it is delivered again
after a pause that doubles with each try; after eight tries it becomes a dead letter. An event that
every group has acknowledged is removed from the stream.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from domain.ids import ConcertId
from storage import scripts
from storage.hot import replies
from storage.hot.script_client import Reply, ScriptClient

FROM_THE_FIRST = "-"
MAX_TRIES = 8
"""The pauses of 1 + 2 + 4 + … + 60 s add up to two minutes, which is longer than most temporary
faults last.
"""
MAX_DEAD_LETTERS = 10_000
"""The limit per concert. Beyond it, an event stays in the stream and is retried every minute, so
nothing is lost.
"""
MAX_ERROR_CHARS = 500
DEAD_LETTERS_PER_READ = 100
_HEAD = 9
"""The number of words that precede the event in a dead letter: its id, then group, id, tries and
error, each preceded by its name.
"""
_text = partial(replies.text, errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as stored in the stream.

    Bytes that are not UTF-8 are decoded as surrogates, so that the handler can refuse them.
    """

    id: str
    tries: int
    """The number of deliveries, including this one."""
    fields: Mapping[str, str]

    @property
    def at(self) -> datetime:
        return _time(self.id)


@dataclass(frozen=True, slots=True)
class ClaimedEvents:
    events: tuple[StoredEvent, ...]
    after: str
    """The id to pass to the next `claim`, which then continues with the next pending events."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    concert_id: ConcertId
    id: str
    group: str
    error: str
    event: StoredEvent

    @property
    def failed_at(self) -> datetime:
        return _time(self.id)


class EventStore:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def claim(
        self, concert_id: ConcertId, group: str, *, limit: int, after: str = FROM_THE_FIRST
    ) -> ClaimedEvents:
        """Claim at most `limit` events for this group: first those that are due again, then new
        ones.
        """
        word, rest = await self._client.call(
            scripts.CLAIM_EVENTS, concert_id, group, limit, after, MAX_TRIES, MAX_DEAD_LETTERS
        )
        replies.expect(scripts.CLAIM_EVENTS, word, "EVENTS")
        last, *given = rest
        return ClaimedEvents(tuple(_event(words) for words in replies.lists(given)), _text(last))

    async def acknowledge(self, concert_id: ConcertId, group: str, ids: Sequence[str]) -> int:
        """Acknowledge events for a group. Return how many of them were still pending."""
        word, rest = await self._client.call(scripts.ACKNOWLEDGE_EVENTS, concert_id, group, *ids)
        replies.expect(scripts.ACKNOWLEDGE_EVENTS, word, "ACKNOWLEDGED")
        return int(rest[0])

    async def record_failure(self, concert_id: ConcertId, group: str, event: StoredEvent, error: str) -> str:
        """Record that a handler failed because of the event itself.

        Return RETRY_LATER before the last try; after it, return DEAD_LETTERED, or FULL if the
        concert has too many dead letters. Return NOT_PENDING if the failed try is not the current
        one.
        """
        reason = error.encode(errors="replace").decode()[:MAX_ERROR_CHARS]
        word, _ = await self._client.call(
            scripts.FAIL_EVENT, concert_id, group, event.id, event.tries, reason, MAX_TRIES, MAX_DEAD_LETTERS
        )
        return replies.expect(scripts.FAIL_EVENT, word, "RETRY_LATER", "DEAD_LETTERED", "FULL", "NOT_PENDING")

    async def return_events(self, concert_id: ConcertId, group: str, events: Sequence[StoredEvent]) -> None:
        """Return events to the stream after a failure that they did not cause. The current try does
        not count.
        """
        pairs = [word for event in events for word in (event.id, event.tries)]
        word, _ = await self._client.call(scripts.RETURN_EVENTS, concert_id, group, *pairs)
        replies.expect(scripts.RETURN_EVENTS, word, "RETURNED")

    async def dead_letters(self, concert_id: ConcertId) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters of a concert, oldest first."""
        after = FROM_THE_FIRST
        while True:
            word, found = await self._client.call(scripts.READ_DEAD_LETTERS, concert_id, after, DEAD_LETTERS_PER_READ)
            replies.expect(scripts.READ_DEAD_LETTERS, word, "DEAD_LETTERS")
            for words in replies.lists(found):
                letter = _dead_letter(concert_id, words)
                yield letter
                after = letter.id
            if len(found) < DEAD_LETTERS_PER_READ:
                return

    async def drop_dead_letters(self, concert_id: ConcertId, ids: Sequence[str]) -> int:
        """Delete dead letters. Return how many of them existed."""
        word, rest = await self._client.call(scripts.DROP_DEAD_LETTERS, concert_id, *ids)
        replies.expect(scripts.DROP_DEAD_LETTERS, word, "DROPPED")
        return int(rest[0])


def _event(words: Reply) -> StoredEvent:
    id_, tries, *fields = words
    return StoredEvent(_text(id_), int(tries), _fields(fields))


def _dead_letter(concert_id: ConcertId, words: Reply) -> DeadLetter:
    id_, _, group, _, event_id, _, tries, _, error = words[:_HEAD]
    event = StoredEvent(_text(event_id), int(tries), _fields(words[_HEAD:]))
    return DeadLetter(concert_id, _text(id_), _text(group), _text(error), event)


def _fields(words: Reply) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def _time(stream_id: str) -> datetime:
    return replies.time(stream_id.partition("-")[0])
