"""A person who joins at `opensAt` or later does not take part in the lottery."""

from storage.connect import Stores
from tests.support.lottery import check_draw, register, revealed, with_lottery
from tests.support.queue_steps import make_people, records


async def test_first_join_at_the_opening_ends_registration(any_stores: Stores) -> None:
    """This holds even if the opening worker runs much later."""
    concert = await with_lottery(any_stores)
    people = make_people(5)
    await register(any_stores, concert, people)
    late = make_people(3, first=6)
    for who in late:
        await any_stores.queues.join(concert.id, who)
    assert [entry.lot for entry in await records(any_stores, concert, late)] == [None] * 3
    assert [entry.number for entry in await records(any_stores, concert, late)] == [6, 7, 8]
    # A registered person who joins again keeps their lot.
    assert (await any_stores.queues.join(concert.id, people[0])).record.lot is not None
    assert await any_stores.lottery_opener.open(concert) == "OPENED"
    assert (await revealed(any_stores, concert)).registrations == 5
    await check_draw(any_stores, concert, [*people, *late])
