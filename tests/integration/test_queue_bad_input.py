"""What is refused in a line, below the face: every refusal is typed, changes nothing, and slows nobody else down."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassClaims, PassSigner
from domain.concerts import Concert
from domain.errors import Admission, NotAdmitted, NotInQueue, RateLimited
from domain.ids import EntryId, PersonId
from domain.lottery import Permutation
from resolvers import holds, queues
from resolvers.context import Context
from storage.connect import Stores
from tests.integration.test_storage_rooms import admit, events, join, pass_time, states, with_room
from tests.support.lottery import check_draw, make_people, register, revealed, secret_of, with_lottery
from tests.support.sale import PASSES, context, key, lines, stock, viewer


async def test_a_thousand_joins_from_one_account_slow_nobody_else(stores: Stores) -> None:
    """Told by what the store does: the flood takes no number, and of the line it costs 20 steps."""
    concert = await with_room(stores)

    async def flood() -> None:
        await queues.join_queue(context(stores, "mallory"), concert.id)

    async def others() -> list[int | None]:
        return [(await queues.join_queue(context(stores, f"p{n}"), concert.id)).number for n in range(5)]

    before = await _commands(stores)
    answers, numbers = await asyncio.gather(
        asyncio.gather(*[flood() for _ in range(1_000)], return_exceptions=True), others()
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 980
    assert {type(refusal) for refusal in refused} == {RateLimited}
    assert all(isinstance(r, RateLimited) and 1 <= r.retry_after_s <= 10 for r in refused)
    # A counter and the index of the person's concerts a try; and for the 20 and the 5 others a join each.
    assert await _commands(stores) - before <= 2 * (1_000 + 5) + 25 + 20
    assert None not in numbers
    line = await stores.queues.read_queue(concert.id)
    assert (line.positions.tail, line.positions.waiting_count, line.flow.joined) == (6, 6, 6)
    assert [event for event in await events(stores, concert.id) if event[1] == "mallory"] == [("joined", "mallory")]


async def _commands(stores: Stores) -> int:
    text = (await stores.script_client.run_command("INFO", "commandstats")).decode()
    return sum(int(row.split("calls=")[1].split(",")[0]) for row in text.splitlines() if "evalsha" in row)


async def test_nobody_speaks_for_a_place_they_do_not_have(stores: Stores) -> None:
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


async def refused_pass(asking: Context, concert: Concert, token: str | None) -> Admission:
    with pytest.raises(NotAdmitted) as refusal:
        await holds.hold_tickets(asking, concert.id, lines(concert, 1), key(), token)
    return refusal.value.reason


async def test_no_pass_but_the_living_one_opens_the_sale(stores: Stores) -> None:
    """Neither one that was replayed, nor a foreign or forged one, nor one that another key signed."""
    concert, other = await with_room(stores, total_active_users=3), await with_room(stores)
    await join(stores, concert, "ann", "ben")
    await join(stores, other, "ann")
    for one in (concert, other):
        await admit(stores, one)
    tokens = {}
    for who, one in (("ann", concert), ("ben", concert), ("ann", other)):
        claimed = await queues.claim_pass(context(stores, who), one.id)
        assert claimed.queue_pass is not None
        tokens[who, one.id] = claimed.queue_pass.token or ""
    mine = tokens["ann", concert.id]
    head, body, signature = mine.split(".")
    now = datetime.now(UTC)
    claims = PassClaims(concert.id, PersonId("ann"), EntryId(1), now, now + timedelta(minutes=5))
    stranger = PassSigner(Ed25519PrivateKey.generate())
    bad = {
        "of somebody else": tokens["ben", concert.id],
        "of another concert": tokens["ann", other.id],
        "signed by a stranger": stranger.sign(claims),
        "of a place never given": PASSES.sign(replace(claims, entry_id=EntryId(99))),
        "with another body": f"{head}.{tokens['ben', concert.id].split('.')[1]}.{signature}",
        "without a signature": f"{head}.{body}.",
        "cut": mine[:-1],
        "empty": "",
    }
    asking = context(stores, "ann")
    reasons = {name: await refused_pass(asking, concert, token) for name, token in bad.items()}
    assert set(reasons.values()) == {Admission.BAD_PASS}, reasons
    assert await stock(stores, concert) == [(10, 0, 0)]
    await holds.hold_tickets(asking, concert.id, lines(concert, 1), key(), mine)
    await stores.queues.leave(concert.id, PersonId("ann"))
    await join(stores, concert, "ann")
    await admit(stores, concert)
    assert await refused_pass(asking, concert, mine) is Admission.BAD_PASS
    assert await stock(stores, concert) == [(10, 0, 0)]


async def test_an_opening_revealed_twice_shows_one_draw(stores: Stores) -> None:
    """Whoever reveals again, even with other registrations in hand, hears what was revealed first."""
    concert = await with_lottery(stores)
    people = make_people(12)
    await register(stores, concert, people)
    fence = await stores.lotteries.read_epoch(concert.id, 1)
    frozen = await stores.hot_state.freeze_queue(concert.id, 1)
    count, digest = frozen.registrations, frozen.digest
    forged = [stores.lotteries.reveal(concert.id, 1, registrations=count, digest=digest, epoch=fence) for _ in range(5)]
    found = await asyncio.gather(*forged)
    assert len(set(found)) == 1
    again = await stores.lotteries.reveal(concert.id, 1, registrations=3, digest="0" * 40, epoch=fence)
    assert again == found[0] == await revealed(stores, concert)
    assert found[0] is not None
    assert found[0].secret == await secret_of(stores, concert)
    assert [await stores.lottery_opener.open(concert) for _ in range(3)] == ["OPENED", "OPEN", "OPEN"]
    # Another order after the opening is not written.
    other = Permutation(b"\x00\x00\x00\x01" * 12, b"\x00\x00\x00\x01" * 12)
    assert await stores.hot_state.open_queue(concert.id, 1, other) == "OPEN"
    await check_draw(stores, concert, people)


async def test_an_expired_pass_does_not_come_back(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=1)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    assert claimed.queue_pass is not None
    await pass_time(stores, concert, 304)
    for step in (stores.queues.heartbeat, stores.queues.claim):
        with pytest.raises(NotInQueue):
            await step(concert.id, PersonId("ann"))
    asking = Context(stores, PASSES, viewer("ann"), "test-request")
    assert await refused_pass(asking, concert, claimed.queue_pass.token) is Admission.BAD_PASS
