"""Invalid requests that bypass GraphQL get typed errors and change nothing in the queue."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassClaims, PassSigner
from domain.errors import Admission, NotInQueue
from domain.ids import EntryId, PersonId
from domain.lottery import Permutation
from storage.connect import Stores
from tests.support.lottery import check_draw, register, revealed, secret_of, with_lottery
from tests.support.queue_steps import (
    admit,
    hold_with,
    join,
    make_people,
    pass_of,
    pass_time,
    refusal_of,
    states,
    with_room,
)
from tests.support.sale import PASSES, stock


async def test_calls_for_a_person_with_no_entry_are_refused(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann", "ben")
    before = await stores.queues.read_queue(concert.id)
    for step in (stores.queues.heartbeat, stores.queues.leave, stores.queues.claim):
        with pytest.raises(NotInQueue):
            await step(concert.id, PersonId("stranger"))
    await stores.queues.sync_presence(concert.id, "p", [(PersonId("stranger"), 1)])
    assert await stores.queues.read_entries(concert.id, [PersonId("stranger")]) == {}
    after = await stores.queues.read_queue(concert.id)
    assert replace(after, flow=before.flow) == before
    await stores.queues.leave(concert.id, PersonId("ben"))
    for step in (stores.queues.heartbeat, stores.queues.claim):
        with pytest.raises(NotInQueue):
            await step(concert.id, PersonId("ben"))
    assert await states(stores, concert, "ann", "ben") == ["WAITING", "LEFT"]


async def test_only_the_current_pass_of_a_person_is_accepted(stores: Stores) -> None:
    """Replayed and forged passes, and passes for another person or concert, are refused."""
    concert, other = await with_room(stores, total_active_users=3), await with_room(stores)
    await join(stores, concert, "ann", "ben")
    await join(stores, other, "ann")
    for one in (concert, other):
        await admit(stores, one)
    mine, bens_pass, elsewhere = [
        await pass_of(stores, one, who) for who, one in (("ann", concert), ("ben", concert), ("ann", other))
    ]
    head, body, signature = mine.split(".")
    now = datetime.now(UTC)
    claims = PassClaims(concert.id, PersonId("ann"), EntryId(1), now, now + timedelta(minutes=5))
    invalid = {
        "for another person": bens_pass,
        "for another concert": elsewhere,
        "signed with another key": PassSigner(Ed25519PrivateKey.generate()).sign(claims),
        "for an unknown entry": PASSES.sign(replace(claims, entry_id=EntryId(99))),
        "with another body": f"{head}.{bens_pass.split('.')[1]}.{signature}",
        "without a signature": f"{head}.{body}.",
        "truncated": mine[:-1],
        "empty": "",
    }
    reasons = {name: await refusal_of(stores, concert, "ann", token) for name, token in invalid.items()}
    assert set(reasons.values()) == {Admission.BAD_PASS}, reasons
    assert await stock(stores, concert) == [(10, 0, 0)]
    await hold_with(stores, concert, "ann", mine)
    await stores.queues.leave(concert.id, PersonId("ann"))
    await join(stores, concert, "ann")
    await admit(stores, concert)
    assert await refusal_of(stores, concert, "ann", mine) is Admission.BAD_PASS
    assert await stock(stores, concert) == [(10, 0, 0)]


async def test_a_repeated_reveal_returns_the_first_draw(stores: Stores) -> None:
    """A later reveal returns the first one, even if it is given other registrations."""
    concert = await with_lottery(stores)
    people = make_people(12)
    await register(stores, concert, people)
    fence = await stores.lotteries.read_epoch(concert.id, 1)
    frozen = await stores.hot_state.freeze_queue(concert.id, 1)
    count, digest = frozen.registrations, frozen.digest
    reveals = [
        stores.lotteries.reveal(concert.id, 1, registrations=count, digest=digest, epoch=fence) for _ in range(5)
    ]
    found = await asyncio.gather(*reveals)
    assert len(set(found)) == 1
    again = await stores.lotteries.reveal(concert.id, 1, registrations=3, digest="0" * 40, epoch=fence)
    assert again == found[0] == await revealed(stores, concert)
    assert found[0] is not None
    assert found[0].secret == await secret_of(stores, concert)
    assert [await stores.lottery_opener.open(concert) for _ in range(3)] == ["OPENED", "OPEN", "OPEN"]
    # After the opening, a different order is ignored.
    other = Permutation(b"\x00\x00\x00\x01" * 12, b"\x00\x00\x00\x01" * 12)
    assert await stores.hot_state.open_queue(concert.id, 1, other) == "OPEN"
    await check_draw(stores, concert, people)


async def test_an_expired_pass_stays_invalid(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    token = await pass_of(stores, concert, "ann")
    await pass_time(stores, concert, 304)
    for step in (stores.queues.heartbeat, stores.queues.claim):
        with pytest.raises(NotInQueue):
            await step(concert.id, PersonId("ann"))
    assert await refusal_of(stores, concert, "ann", token) is Admission.BAD_PASS
