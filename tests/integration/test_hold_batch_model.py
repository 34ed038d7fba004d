"""Calls that are made in one batch have the same effects as the same calls one by one."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from domain.concerts import ConcertStatus
from domain.holds import Hold
from domain.ids import HoldId, PersonId
from domain.limits.rates import NO_RATES, CallRates, Rate
from domain.queues import QueueingMethod, RoomSettings
from domain.tiers.rules import NO_RULES, TierRules
from storage import scripts
from storage.hot.script_client import ScriptClient
from tests.support.hold_batches import Answer, BatchShop, HoldCall, make_concert
from tests.support.hold_orders import order_of
from tests.support.model_runs import MODEL_TIMEOUT

PEOPLE = ("ann", "ben", "cleo")
CAPACITIES = (9, 7)
ATTEMPTS = 5
ROOM = RoomSettings(total_active_users=2, heartbeat_timeout_ms=86_400_000)
STRICT = CallRates(Rate(3, 600), Rate(6, 600))

quantities = st.integers(1, 3)
lines = st.one_of(
    st.tuples(st.tuples(st.sampled_from((1, 2)), quantities)),
    st.permutations((1, 2)).flatmap(lambda tiers: st.tuples(*[st.tuples(st.just(t), quantities) for t in tiers])),
    st.sampled_from([((3, 1),), ((1, 1), (3, 1)), ((1, 6),)]),
)
calls = st.builds(
    HoldCall,
    person=st.sampled_from(PEOPLE),
    number=st.integers(1, 5),
    lines=lines,
    digest=st.sampled_from(("d", "d", "d", "other")),
    pass_entry_id=st.sampled_from((None, None, 1, 2, 3, 4)),
    rates=st.sampled_from((NO_RATES, NO_RATES, STRICT, replace(STRICT, per_person=None))),
    address=st.sampled_from((None, "203.0.113.7")),
    sells_hidden=st.booleans(),
)


@dataclass(frozen=True)
class Step:
    """Something that happens between two batches."""

    name: str
    value: Any = None
    number: int = 0


def steps(name: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.just(name), value, st.integers(0, 30))


minutes = st.integers(-60, 120).map(lambda count: datetime.now(UTC) + timedelta(minutes=count))
rules = st.builds(
    TierRules,
    sales_start_at=st.none() | minutes,
    sales_end_at=st.none() | minutes,
    min_per_order=st.integers(1, 2),
    max_per_order=st.none() | st.integers(2, 4),
    is_hidden=st.booleans(),
    is_withdrawn=st.sampled_from((False, False, True)),
)
rooms = st.builds(
    ROOM.__class__,
    suspended=st.booleans(),
    queueing_method=st.sampled_from(QueueingMethod),
    total_active_users=st.just(2),
    heartbeat_timeout_ms=st.just(86_400_000),
)
between = st.one_of(
    steps("release", st.none()),
    steps("release", st.none()),
    steps("begin", st.none()),
    steps("sell", st.none()),
    steps("advance", st.sampled_from((1, 1_000, 700_000))),
    steps("join", st.sampled_from(PEOPLE)),
    steps("admit", st.none()),
    steps("rules", rules | st.just(NO_RULES)),
    steps("room", rooms),
    steps("terms", st.sampled_from(({"hold_duration_ms": 30_000}, {"limit_per_person": 3}, {"limit_per_order": 4}))),
    steps("cap", st.integers(0, 8)),
    steps("sale", st.sampled_from((ConcertStatus.PUBLISHED, ConcertStatus.PUBLISHED, ConcertStatus.CANCELLED))),
)
rounds = st.tuples(st.lists(between, max_size=3), st.lists(calls, min_size=1, max_size=12))
examples = st.lists(rounds, min_size=1, max_size=8)
ANSWERS = {
    "Hold", "InvalidInput", "LimitExceeded", "SoldOut", "IdempotencyConflict", "TierRefused", "NotAdmitted",
    "NotOnSale", "RateLimited",
}  # fmt: skip
Rounds = list[tuple[list[Step], list[HoldCall]]]
EVERY_ANSWER: Rounds = [
    ([], [HoldCall("ann", 1), HoldCall("ann", 1, digest="other"), HoldCall("ben", 1, ((3, 1),))]),
    ([], [HoldCall("ben", 2, ((1, 6),)), *[HoldCall("cleo", number, rates=STRICT) for number in range(1, 6)]]),
    ([], [HoldCall(who, 7, ((2, 3),)) for who in PEOPLE]),
    ([Step("rules", TierRules(is_withdrawn=True))], [HoldCall("ann", 3)]),
    ([Step("room", replace(ROOM, suspended=False))], [HoldCall("ann", 4)]),
    ([Step("sale", ConcertStatus.CANCELLED)], [HoldCall("ann", 5)]),
]


class History:
    """Runs the steps of one example, and each batch twice from the same state."""

    def __init__(self, shop: BatchShop, seen: Counter[str]) -> None:
        self._shop = shop
        self._seen = seen
        self._holds: list[Hold] = []

    async def run_batch(self, batch: list[HoldCall]) -> None:
        shop = self._shop
        before, first_version = await shop.copy(), await shop.version()
        known = await shop.run("HKEYS", "holds")
        expected = await shop.hold_one_by_one(batch)
        expected_state, made = await shop.read_state(), len(await shop.run("HKEYS", "holds")) - len(known)
        assert await shop.version() == first_version + made
        await shop.put_back(before)

        answers, has_written = await self._hold_counting_writes(batch)
        assert answers == expected
        assert await shop.read_state() == expected_state
        last_version = first_version + (made > 0)
        assert await shop.version() == last_version
        assert {answer.version for answer in answers if isinstance(answer, Hold)} <= {last_version}
        await self._check_versions_of_people(answers, first_version, last_version)
        if not made and all(call.rates == NO_RATES for call in batch):
            assert not has_written
        self._holds += [answer for answer in answers if isinstance(answer, Hold)]
        self._seen.update("Hold" if isinstance(answer, Hold) else answer.kind for answer in answers)

    async def _hold_counting_writes(self, batch: list[HoldCall]) -> tuple[list[Answer], bool]:
        """Return the answers, and whether the batch has written.

        The store counts the writes of all its users, such as the leases of a server of another
        test, so a batch that has changed nothing is made again until no one else writes meanwhile.
        """
        shop, before = self._shop, await self._shop.copy()
        for _ in range(ATTEMPTS):
            writes = await shop.count_writes()
            answers = await shop.hold_in_batch(batch)
            has_written = await shop.count_writes() > writes
            if not has_written or await shop.copy() != before:
                break
        return answers, has_written

    async def _check_versions_of_people(self, answers: list[Answer], first: int, last: int) -> None:
        """Everyone whose holds changed is listed with the batch's version, and no one else."""
        listed = await self._shop.run("ZRANGE", "changes", f"({first}", "+inf", "BYSCORE")
        created = {
            answer.person_id
            for answer in answers
            if isinstance(answer, Hold) and all(answer.id != held.id for held in self._holds)
        }
        assert {PersonId(person.decode()) for person in listed} == created
        for person in created:
            assert int(await self._shop.run("ZSCORE", "changes", person)) == last

    async def run_step(self, step: Step) -> None:
        act: dict[str, Callable[[Any, int], Any]] = {
            "release": self._release,
            "begin": self._begin,
            "sell": self._sell,
            "advance": self._advance,
            "join": self._join,
            "admit": self._admit,
            "rules": self._set_rules,
            "room": lambda room, _: self._shop.change(room=room),
            "terms": lambda terms, _: self._shop.change(terms=replace(self._shop.concert.terms, **terms)),
            "cap": self._set_cap,
            "sale": lambda status, _: self._shop.change(status=status),
        }
        await act[step.name](step.value, step.number)

    def _pick(self, number: int) -> Hold | None:
        return self._holds[number % len(self._holds)] if self._holds else None

    async def _release(self, _: None, number: int) -> None:
        if held := self._pick(number):
            await self._shop.client.call(scripts.RELEASE_HOLD, held.concert_id, held.id, held.person_id, "RELEASED")

    async def _begin(self, _: None, number: int) -> None:
        if held := self._pick(number):
            await self._shop.client.call(
                scripts.BEGIN_PURCHASE, held.concert_id, held.id, held.person_id, f"k{number}", "d", "", ""
            )

    async def _sell(self, _: None, number: int) -> None:
        if held := self._pick(number):
            read = await self._shop.holds.get(held.concert_id, HoldId(held.id))
            if read is not None and read.units:
                await self._shop.hot.record_order(order_of(self._shop.concert, read))

    async def _advance(self, ms: int, _: int) -> None:
        await self._shop.set_clock(await self._shop.now_ms() + ms)
        await self._shop.hot.expire_holds(self._shop.concert.id, limit=3)

    async def _join(self, person: str, _: int) -> None:
        await self._shop.client.call(scripts.JOIN_QUEUE, self._shop.concert.id, person, "", "", "", "")

    async def _admit(self, _: None, __: int) -> None:
        await self._shop.hot.run_admission(self._shop.concert.id, bound=10)
        for person in PEOPLE:
            await self._shop.client.call(scripts.CLAIM_PASS, self._shop.concert.id, person, "")

    async def _set_rules(self, tier_rules: TierRules, number: int) -> None:
        tiers = list(self._shop.concert.tiers)
        tiers[number % 2] = replace(tiers[number % 2], rules=tier_rules)
        await self._shop.change(tiers=tuple(tiers))

    async def _set_cap(self, capacity: int, number: int) -> None:
        concert = self._shop.concert
        lowered = replace(concert.tiers[number % 2], capacity=capacity)
        await self._shop.hot.lower_capacity(concert, [lowered], proposal=f"proposal{number}", is_large=False)


async def run_history(client: ScriptClient, room: RoomSettings, history: Rounds, seen: Counter[str]) -> None:
    shop = BatchShop(client, make_concert(*CAPACITIES, room=room))
    shop.concert = replace(shop.concert, terms=replace(shop.concert.terms, limit_per_order=5, limit_per_person=7))
    await shop.open()
    running = History(shop, seen)
    for steps_before, batch in history:
        for step in steps_before:
            await running.run_step(step)
        await running.run_batch(batch)


@MODEL_TIMEOUT
def test_batch_has_the_effects_of_its_calls_one_by_one(store_url: str) -> None:
    seen = Counter[str]()
    with asyncio.Runner() as runner:

        async def open_client() -> ScriptClient:
            return ScriptClient(store_url)

        client = runner.run(open_client())

        @settings(
            max_examples=100,
            deadline=None,
            # Shrinking an example on real stores takes longer than a test may.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @example(ROOM, EVERY_ANSWER)
        @given(rooms, examples)
        def check(room: RoomSettings, history: Rounds) -> None:
            runner.run(run_history(client, room, history, seen))

        try:
            check()
        finally:
            runner.run(client.aclose())
    assert set(seen) == ANSWERS, seen
