"""If data is lost just before or after an opening, the remaining entries keep their numbers."""

from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import PersonId
from domain.lottery import draw
from storage.connect import Stores
from tests.support.crashes import Crashed, crash_at
from tests.support.lottery import check_draw, numbers, register, revealed, sorted_numbers, with_lottery
from tests.support.queue_steps import admit, leave_all, make_people, records
from tests.support.store_copies import ConcertCopy
from tests.support.waiting import wait_until

LATE = [PersonId("late")]


async def test_a_rollback_after_the_reveal_keeps_the_remaining_numbers(any_stores: Stores) -> None:
    """The copy lacks ten people. Their entries are lost, and no one else gets their numbers."""
    concert = await with_lottery(any_stores)
    early, lost = make_people(20), make_people(10, first=21)
    await register(any_stores, concert, early)
    await leave_all(any_stores, concert, early[:2])
    copy = await ConcertCopy(any_stores, concert).take()
    await register(any_stores, concert, lost)
    assert await any_stores.lottery_opener.open(concert) == "OPENED"
    drawn, reveal = await numbers(any_stores, concert, early), await revealed(any_stores, concert)
    await copy.put_back()
    with pytest.raises(TemporarilyUnavailable):
        await any_stores.queues.join(concert.id, lost[0])
    await until_recovered(any_stores, concert)
    assert await numbers(any_stores, concert, early) == drawn
    assert await any_stores.queues.read_entries(concert.id, lost) == {}
    await check_draw(any_stores, concert, early)
    await register(any_stores, concert, lost)
    again = await records(any_stores, concert, lost)
    assert sorted((entry.number or 0, entry.lot) for entry in again) == [(number, None) for number in range(31, 41)]
    assert await any_stores.lottery_opener.open(concert) == "OPEN"
    assert await revealed(any_stores, concert) == reveal
    await check_draw(any_stores, concert, [*early, *lost])


async def test_people_who_rejoin_after_a_wipe_are_behind_the_drawn_numbers(any_stores: Stores) -> None:
    concert = await with_lottery(any_stores)
    people = make_people(9)
    await register(any_stores, concert, people)
    await any_stores.lottery_opener.open(concert)
    await ConcertCopy(any_stores, concert).wipe()
    await until_recovered(any_stores, concert)
    assert (await any_stores.queues.read_queue(concert.id)).positions.waiting_count == 0
    await register(any_stores, concert, people)
    again = await records(any_stores, concert, people)
    assert sorted((entry.number or 0, entry.lot) for entry in again) == [(number, None) for number in range(10, 19)]
    assert [await admit(any_stores, concert) for _ in range(2)] == [2, 0]
    await check_draw(any_stores, concert, people)


async def test_a_rollback_before_the_opening_keeps_the_revealed_numbers(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_lottery(stores)
    people = make_people(9)
    await register(stores, concert, people)
    copy = await ConcertCopy(stores, concert).take()
    with monkeypatch.context() as patch:
        crash_at(stores, patch, "before open_queue")
        with pytest.raises(Crashed):
            await stores.lottery_opener.open(concert)
    await copy.put_back()
    await until_recovered(stores, concert)
    assert (await stores.queues.read_queue(concert.id)).is_opened
    await check_draw(stores, concert, people)
    assert await sorted_numbers(stores, concert, people) == list(range(1, 10))


async def test_a_recovery_that_crashes_after_the_opening_is_finished_later(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_lottery(stores)
    people = make_people(6)
    await register(stores, concert, people)
    copy = await ConcertCopy(stores, concert).take()
    await stores.lottery_opener.open(concert)
    drawn = await numbers(stores, concert, people)
    await copy.put_back()
    with monkeypatch.context() as patch:
        crash_at(stores, patch, "before finish_recovery")
        with pytest.raises(Crashed):
            await stores.recovery.recover(concert.id)
    with pytest.raises(TemporarilyUnavailable):
        await stores.queues.join(concert.id, LATE[0])
    await until_recovered(stores, concert)
    assert await numbers(stores, concert, people) == drawn
    await check_draw(stores, concert, people)


async def test_a_superseded_recovery_does_not_open_the_queue(stores: Stores) -> None:
    concert = await with_lottery(stores)
    copy = await ConcertCopy(stores, concert).take()
    await stores.lottery_opener.open(concert)
    await copy.put_back()
    assert await stores.lottery_opener.restore(concert, epoch=99) is False
    with pytest.raises(TemporarilyUnavailable):
        await stores.queues.read_queue(concert.id)
    await until_recovered(stores, concert)
    assert (await stores.queues.read_queue(concert.id)).is_opened


async def test_registrations_lost_before_the_reveal_are_not_revealed(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People may register again after a rollback, so an earlier freeze is out of date."""
    concert = await with_lottery(stores)
    people = make_people(4)
    copy = await ConcertCopy(stores, concert).take()
    await register(stores, concert, people)
    reveal = stores.lotteries.reveal

    async def after_a_rollback(*args: Any, **kwargs: Any) -> Any:
        await copy.put_back()
        await until_recovered(stores, concert)
        await register(stores, concert, LATE)
        return await reveal(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(stores.lotteries, "reveal", after_a_rollback)
        assert await stores.lottery_opener.open(concert) == "STALE"
    assert await stores.lotteries.find_reveal(concert.id, 1) is None
    assert await stores.lottery_opener.open(concert) == "OPENED"
    assert (await revealed(stores, concert)).registrations == 1
    await check_draw(stores, concert, LATE)


async def test_a_queue_opens_after_a_reveal_with_a_different_count(stores: Stores) -> None:
    """An isolated primary may reveal more or fewer registrations than the queue has."""
    for count in (3, 9):
        concert = await with_lottery(stores)
        people = make_people(6)
        await register(stores, concert, people)
        await stores.lotteries.reveal(concert.id, 1, registrations=count, digest="ab" * 20, epoch=1)
        assert await stores.lottery_opener.open(concert) == "OPENED"
        await register(stores, concert, LATE)
        everyone = [*people, *LATE]
        assert (await revealed(stores, concert)).registrations == count
        drawn = draw((await revealed(stores, concert)).seed, count)
        found = await records(stores, concert, everyone)
        lots = {entry.person_id: entry.entry_id for entry in found}
        expected = {who: drawn.number_of(lot) if lot <= count else lot for who, lot in lots.items() if who not in LATE}
        assert await numbers(stores, concert, everyone) == expected | {"late": max(7, count + 1)}
        assert (await stores.queues.read_queue(concert.id)).positions.waiting_count == 7


async def until_recovered(stores: Stores, concert: Concert) -> None:
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")
