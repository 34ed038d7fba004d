"""The conversion of a queue: each entry counts once per step, and drops out at most once."""

from domain.analytics.queue_conversion import EntryStep, QueueConversion, sum_entries
from domain.queue_events import QueueEventKind
from domain.queues import EntryEnd

JOINED, CALLED, CLAIMED = (
    EntryStep(kind) for kind in (QueueEventKind.JOINED, QueueEventKind.CALLED, QueueEventKind.CLAIMED)
)
COMPLETED = EntryStep(QueueEventKind.COMPLETED, EntryEnd.SPENT)
LEFT = EntryStep(QueueEventKind.LEFT, EntryEnd.LEFT)


def expired(end: EntryEnd) -> EntryStep:
    return EntryStep(QueueEventKind.EXPIRED, end)


def test_each_step_and_each_way_to_drop_out_is_counted() -> None:
    entries = [
        ((JOINED,), 100),
        ((JOINED, LEFT), 1),
        ((JOINED, expired(EntryEnd.ABSENT)), 2),
        ((JOINED, CALLED, LEFT), 3),
        ((JOINED, CALLED, expired(EntryEnd.NOT_CLAIMED)), 4),
        ((JOINED, CALLED, CLAIMED, LEFT), 5),
        ((JOINED, CALLED, CLAIMED, expired(EntryEnd.SESSION_OVER)), 6),
        ((JOINED, CALLED, CLAIMED, COMPLETED), 79),
    ]
    found = sum_entries(entries)
    assert found == QueueConversion(
        joined=200,
        called=97,
        claimed=90,
        completed=79,
        left_waiting=1,
        absent=2,
        left_called=3,
        not_claimed=4,
        left_admitted=5,
        session_over=6,
    )
    assert found.rate == 0.395


def test_the_end_of_the_sale_is_not_a_dropout() -> None:
    ends = (EntryEnd.SALE_OVER, EntryEnd.RESET, EntryEnd.CONCERT_CANCELLED)
    assert sum_entries(((JOINED, expired(end)), 1) for end in ends) == QueueConversion(joined=3)


def test_entry_that_ended_twice_counts_once() -> None:
    """A store that was rolled back ends an entry again."""
    twice = (JOINED, CALLED, CLAIMED, LEFT, expired(EntryEnd.SESSION_OVER))
    assert sum_entries([(twice, 1)]) == QueueConversion(joined=1, called=1, claimed=1, left_admitted=1)
    bought = (JOINED, CALLED, CLAIMED, expired(EntryEnd.SESSION_OVER), COMPLETED)
    assert sum_entries([(bought, 1)]) == QueueConversion(joined=1, called=1, claimed=1, completed=1)


def test_empty_queue_has_no_rate() -> None:
    assert sum_entries([]) == QueueConversion()
    assert QueueConversion().rate is None
