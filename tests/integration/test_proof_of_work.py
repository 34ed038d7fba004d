"""A queue may ask for a proof of work: once per new entry, and never for an active one."""

import asyncio
from dataclasses import replace

import pytest

from domain.concerts import Concert
from domain.errors import RoomNotOpen
from domain.ids import PersonId
from domain.limits.challenges import Challenge, ChallengeReason, ProofOfWork
from domain.limits.errors import ChallengeRequired, RateLimited
from domain.limits.rates import CallRates, Rate, RateLimits
from domain.queues import QueueEntry, QueueingMethod
from resolvers import queues
from resolvers.call_limits import CallLimits
from storage.connect import Stores
from tests.support.hot_keys import concert_key
from tests.support.proof_of_work import solve
from tests.support.queue_steps import change_room, with_room
from tests.support.sale import PASSES, context
from tests.support.script_calls import recorded_calls

BITS = 8
MISSING, INVALID, USED = ChallengeReason.MISSING, ChallengeReason.INVALID, ChallengeReason.USED


async def with_challenge(stores: Stores, **settings: object) -> Concert:
    return await with_room(stores, proof_of_work_bits=BITS, **settings)


async def join(stores: Stores, concert: Concert, who: str, proof: ProofOfWork | None = None) -> QueueEntry:
    return await queues.join_queue(context(stores, who), concert.id, proof)


async def refusal(
    stores: Stores, concert: Concert, who: str, proof: ProofOfWork | None = None
) -> tuple[ChallengeReason, Challenge]:
    """Try to join, check that nothing has changed, and return the reason and the new challenge."""
    before = await read_state(stores, concert)
    with pytest.raises(ChallengeRequired) as refused:
        await join(stores, concert, who, proof)
    assert await read_state(stores, concert) == before
    assert not refused.value.retryable
    return refused.value.reason, refused.value.challenge


async def read_state(stores: Stores, concert: Concert) -> list[object]:
    command = stores.script_client.run_command
    return [await command("HGETALL", concert_key(concert, kind)) for kind in ("state", "entries")]


async def leave(stores: Stores, concert: Concert, who: str) -> None:
    await stores.queues.leave(concert.id, PersonId(who))


async def test_solved_challenge_lets_a_person_join(any_stores: Stores) -> None:
    concert = await with_challenge(any_stores)
    reason, challenge = await refusal(any_stores, concert, "ann")
    assert (reason, challenge.bits) == (MISSING, BITS)
    assert await any_stores.person_concerts.list(PersonId("ann")) == ()
    assert (await join(any_stores, concert, "ann", solve(challenge))).number == 1
    assert await any_stores.person_concerts.list(PersonId("ann")) == (concert.id,)


async def test_challenge_can_be_used_only_once(any_stores: Stores) -> None:
    concert = await with_challenge(any_stores)
    _, challenge = await refusal(any_stores, concert, "ann")
    proof = solve(challenge)
    entries = await asyncio.gather(*[join(any_stores, concert, "ann", proof) for _ in range(50)])
    assert {entry.number for entry in entries} == {1}
    await leave(any_stores, concert, "ann")
    reason, another = await refusal(any_stores, concert, "ann", proof)
    assert reason is USED
    assert (await join(any_stores, concert, "ann", solve(another))).number == 2
    await leave(any_stores, concert, "ann")
    assert (await refusal(any_stores, concert, "ann", proof))[0] is USED


async def test_challenges_cannot_be_stockpiled(stores: Stores) -> None:
    """A person cannot collect challenges and use them one after another."""
    concert = await with_challenge(stores)
    older = PASSES.challenges.issue(concert.id, PersonId("ann"), BITS)
    _, newer = await refusal(stores, concert, "ann")
    await join(stores, concert, "ann", solve(newer))
    await leave(stores, concert, "ann")
    assert older.expires_at <= newer.expires_at
    assert (await refusal(stores, concert, "ann", solve(older)))[0] is USED


async def test_active_entry_needs_no_proof(stores: Stores) -> None:
    concert = await with_room(stores)
    assert (await join(stores, concert, "ann")).number == 1
    await change_room(stores, concert, proof_of_work_bits=BITS)
    changed = replace(PASSES.challenges.issue(concert.id, PersonId("ann"), BITS), bits=1)
    with recorded_calls(stores) as calls:
        for proof in (None, ProofOfWork(changed.text, "wrong"), ProofOfWork("forged", "")):
            assert (await join(stores, concert, "ann", proof)).number == 1
    assert calls.count("join_queue") == 3


async def test_proof_for_another_person_or_concert_is_invalid(stores: Stores) -> None:
    concert, other = await with_challenge(stores), await with_challenge(stores)
    for concert_id, who in ((concert.id, "ben"), (other.id, "ann")):
        stolen = solve(PASSES.challenges.issue(concert_id, PersonId(who), BITS))
        assert (await refusal(stores, concert, "ann", stolen))[0] is INVALID


async def test_easier_challenge_is_invalid_after_the_difficulty_is_raised(stores: Stores) -> None:
    concert = await with_challenge(stores)
    easier = solve(PASSES.challenges.issue(concert.id, PersonId("ann"), BITS - 1))
    assert (await refusal(stores, concert, "ann", easier))[0] is INVALID
    harder = solve(PASSES.challenges.issue(concert.id, PersonId("ann"), BITS + 1))
    assert (await join(stores, concert, "ann", harder)).number == 1


async def test_each_request_in_a_flood_without_proofs_costs_one_read_only_call(stores: Stores) -> None:
    concert = await with_challenge(stores)
    with recorded_calls(stores) as calls:
        for _ in range(20):
            await refusal(stores, concert, "ann")
    assert calls.round_trips == [["join_queue"]] * 20


async def test_join_with_a_proof_takes_one_round_trip(stores: Stores) -> None:
    concert = await with_challenge(stores)
    _, challenge = await refusal(stores, concert, "ann")
    with recorded_calls(stores) as calls:
        await join(stores, concert, "ann", solve(challenge))
    assert calls.round_trips == [["add_person_concert", "join_queue"]]


async def test_room_that_is_not_open_asks_for_no_proof(stores: Stores) -> None:
    concert = await with_challenge(stores, queueing_method=QueueingMethod.REJECT)
    with pytest.raises(RoomNotOpen):
        await join(stores, concert, "ann")


async def test_refusal_by_a_rate_limit_does_not_use_up_the_challenge(stores: Stores) -> None:
    concert = await with_challenge(stores)
    limits = CallLimits(RateLimits(joins=CallRates(per_address=Rate(1, 600))))
    ann, ben = (replace(context(stores, who), address="203.0.113.7", call_limits=limits) for who in ("ann", "ben"))
    proofs = [solve(PASSES.challenges.issue(concert.id, PersonId(who), BITS)) for who in ("ann", "ben")]
    await queues.join_queue(ann, concert.id, proofs[0])
    with pytest.raises(RateLimited):
        await queues.join_queue(ben, concert.id, proofs[1])
    assert (await join(stores, concert, "ben", proofs[1])).number == 2


async def test_concert_stored_by_an_earlier_version_asks_for_no_proof(stores: Stores) -> None:
    concert = await with_challenge(stores)
    await stores.mongo["concerts"].update_one({"_id": concert.id}, {"$unset": {"room.proof_of_work_bits": ""}})
    stored = await stores.concerts.get(concert.id)
    assert stored is not None
    assert stored.room.proof_of_work_bits == 0
