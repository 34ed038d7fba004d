"""Stores that forget around an opening: who they still know keeps their number, and nobody registers afterwards."""

from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.lottery import draw
from storage.connect import Stores
from tests.integration.test_storage_lottery_opening import LATE, Killed, dying_at
from tests.integration.test_storage_queues import admit
from tests.support.lottery import (
    Copy,
    check_draw,
    entries,
    leave,
    make_people,
    numbers,
    register,
    revealed,
    sorted_numbers,
    with_lottery,
)
from tests.support.waiting import wait_until


async def test_a_store_rolled_back_after_the_reveal_keeps_the_numbers_of_all_it_still_knows(any_stores: Stores) -> None:
    """Back to before ten of them had registered; those have lost their place, and nobody gets their numbers."""
    concert = await with_lottery(any_stores)
    early, lost = make_people(20), make_people(10, first=21)
    await register(any_stores, concert, early)
    await leave(any_stores, concert, early[:2])
    copy = await Copy(any_stores, concert).take()
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
    again = await entries(any_stores, concert, lost)
    assert sorted((entry.number or 0, entry.lot) for entry in again) == [(number, None) for number in range(31, 41)]
    assert await any_stores.lottery_opener.open(concert) == "OPEN"
    assert await revealed(any_stores, concert) == reveal
    await check_draw(any_stores, concert, [*early, *lost])


async def test_a_store_wiped_after_the_reveal_registers_nobody_again(any_stores: Stores) -> None:
    concert = await with_lottery(any_stores)
    people = make_people(9)
    await register(any_stores, concert, people)
    await any_stores.lottery_opener.open(concert)
    await Copy(any_stores, concert).wipe()
    await until_recovered(any_stores, concert)
    assert (await any_stores.queues.read_queue(concert.id)).positions.waiting_count == 0
    await register(any_stores, concert, people)
    again = await entries(any_stores, concert, people)
    assert sorted((entry.number or 0, entry.lot) for entry in again) == [(number, None) for number in range(10, 19)]
    assert [await admit(any_stores) for _ in range(2)] == [2, 0]
    await check_draw(any_stores, concert, people)


async def test_a_store_wiped_between_reveal_and_numbers_has_the_revealed_numbers(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_lottery(stores)
    people = make_people(9)
    await register(stores, concert, people)
    copy = await Copy(stores, concert).take()
    with monkeypatch.context() as patch:
        dying_at(stores, patch, "before open_queue")
        with pytest.raises(Killed):
            await stores.lottery_opener.open(concert)
    await copy.put_back()
    await until_recovered(stores, concert)
    assert (await stores.queues.read_queue(concert.id)).is_opened
    await check_draw(stores, concert, people)
    assert await sorted_numbers(stores, concert, people) == list(range(1, 10))


async def test_a_recovery_killed_after_it_opened_is_finished_by_another(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await with_lottery(stores)
    people = make_people(6)
    await register(stores, concert, people)
    copy = await Copy(stores, concert).take()
    await stores.lottery_opener.open(concert)
    drawn = await numbers(stores, concert, people)
    await copy.put_back()
    with monkeypatch.context() as patch:
        dying_at(stores, patch, "before finish_recovery")
        with pytest.raises(Killed):
            await stores.recovery.recover(concert.id)
    with pytest.raises(TemporarilyUnavailable):
        await stores.queues.join(concert.id, LATE[0])
    await until_recovered(stores, concert)
    assert await numbers(stores, concert, people) == drawn
    await check_draw(stores, concert, people)


async def test_a_recovery_that_was_overtaken_opens_nothing(stores: Stores) -> None:
    concert = await with_lottery(stores)
    copy = await Copy(stores, concert).take()
    await stores.lottery_opener.open(concert)
    await copy.put_back()
    assert await stores.lottery_opener.restore(concert, epoch=99) is False
    with pytest.raises(TemporarilyUnavailable):
        await stores.queues.read_queue(concert.id)
    await until_recovered(stores, concert)
    assert (await stores.queues.read_queue(concert.id)).is_opened


async def test_what_a_store_forgot_before_the_reveal_is_not_revealed(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen, then rolled back: people may register again, so what was frozen must not come out now."""
    concert = await with_lottery(stores)
    people = make_people(4)
    copy = await Copy(stores, concert).take()
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


async def test_a_line_frozen_otherwise_than_it_was_revealed_opens_all_the_same(stores: Stores) -> None:
    """A primary that was cut off might reveal its own count: what it lacks stands behind, what it had is gone."""
    for count in (3, 9):
        concert = await with_lottery(stores)
        people = make_people(6)
        await register(stores, concert, people)
        await stores.lotteries.reveal(concert.id, 1, registrations=count, digest="ab" * 20, epoch=1)
        assert await stores.lottery_opener.open(concert) == "OPENED"
        await register(stores, concert, LATE)
        everybody = [*people, *LATE]
        assert (await revealed(stores, concert)).registrations == count
        drawn = draw((await revealed(stores, concert)).seed, count)
        found = await entries(stores, concert, everybody)
        lots = {entry.person_id: entry.entry_id for entry in found}
        expected = {who: drawn.number_of(lot) if lot <= count else lot for who, lot in lots.items() if who not in LATE}
        assert await numbers(stores, concert, everybody) == expected | {"late": max(7, count + 1)}
        line = (await stores.queues.read_queue(concert.id)).positions
        assert line.waiting_count == 7


async def until_recovered(stores: Stores, concert: Concert) -> None:
    await wait_until(lambda: stores.recovery.recover(concert.id), what="the recovery")
