"""Rechecks of privileged callers: when the issuer is asked, and what its answers change."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio

from auth.revocation import rechecks as module
from auth.revocation.issuer_checks import IssuerUnavailable, TokenState
from auth.revocation.rechecks import (
    EXTENSION_S,
    MAX_CONCURRENT_CHECKS,
    RECHECK_S,
    REQUEST_WAIT_S,
    RETRY_S,
    ROLES_CHANGED,
    UNCONFIRMED,
    Credential,
    Rechecks,
    bearer_credential,
)
from auth.viewer import Role, Viewer
from domain.errors import SESSION_ENDED, TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from tests.support.loop_clock import LoopClock
from tests.support.revocations import viewer
from tests.support.waiting import wait_until

START_S = 1_000_000.0
ACTIVE = TokenState(is_active=True, roles=frozenset({Role.ORGANIZER}))
INACTIVE = TokenState(is_active=False)
WITHOUT_ROLE = TokenState(is_active=True, roles=frozenset({Role.CUSTOMER}))


@dataclass
class FakeIssuer:
    """Answers each check with `state` once `gate` is set."""

    state: TokenState = ACTIVE
    failure: Exception | None = None
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most_running: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    async def check(self, token: str) -> TokenState:
        self.asked.append(token)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if self.failure is not None:
            raise self.failure
        return self.state


@dataclass
class FakeConnections:
    """The callers with an open connection, and why each closed connection ended."""

    rechecks: Rechecks
    callers: list[Viewer] = field(default_factory=list)
    ended: list[tuple[Viewer, str]] = field(default_factory=list)

    def of_person(self, person_id: PersonId) -> Sequence[Viewer]:
        return [caller for caller in self.callers if caller.person_id == person_id]

    def end_refused(self, *, people: Iterable[PersonId]) -> None:
        for caller in [caller for person_id in people for caller in self.of_person(person_id)]:
            if reason := self.rechecks.refusal_for(caller):
                self.callers.remove(caller)
                self.ended.append((caller, reason))


class Bench:
    """Rechecks with a fake issuer, a clock that the test sets, and one organizer."""

    def __init__(self, capacity: int = 10) -> None:
        self.now_s = START_S
        self.issuer = FakeIssuer()
        self.rechecks = Rechecks(self.issuer, capacity=capacity, clock=lambda: self.now_s)
        self.connections = FakeConnections(self.rechecks)
        self.rechecks.follow(self.connections)
        self.outdated: list[Viewer] = []
        self.rechecks.subscribe(self.outdated.append)
        self.olivia = viewer("olivia", Role.ORGANIZER, sid="s1", issued_at=START_S, expires_at=START_S + 3_600)

    async def ask(self, who: Viewer | None = None) -> Viewer:
        who = who or self.olivia
        return await self.rechecks.current(bearer_credential(f"{who.name}{who.issued_at}", who), who)

    async def run_due_checks(self) -> None:
        self.rechecks.start_due_checks()
        await wait_until(lambda: not self.rechecks.running_checks, what="the end of all checks")


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.rechecks.aclose()


async def test_customers_are_never_checked(bench: Bench) -> None:
    alice = viewer("alice", Role.CUSTOMER, issued_at=0)
    assert await bench.ask(alice) is alice
    assert (bench.issuer.asked, len(bench.rechecks)) == ([], 0)


@pytest.mark.parametrize("role", [Role.ORGANIZER, Role.GATE, Role.ADMIN])
async def test_privileged_token_is_checked_once_it_is_a_minute_old(bench: Bench, role: Role) -> None:
    bench.issuer.state = TokenState(is_active=True, roles=frozenset({role}))
    person = viewer("gus", role, issued_at=START_S, expires_at=START_S + 3_600)
    bench.now_s += RECHECK_S - 1
    assert await bench.ask(person) == person
    assert bench.issuer.asked == []
    bench.now_s += 1
    assert await bench.ask(person) == person
    assert len(bench.issuer.asked) == 1
    assert await bench.ask(person) == person
    assert len(bench.issuer.asked) == 1


async def test_inactive_token_is_refused_until_it_expires(bench: Bench) -> None:
    bench.now_s += RECHECK_S
    bench.issuer.state = INACTIVE
    for _ in range(3):
        with pytest.raises(Unauthenticated, match=f"^{SESSION_ENDED}\\.$"):
            await bench.ask()
    bench.issuer.state = ACTIVE
    bench.now_s = START_S + 3_599
    await bench.run_due_checks()
    with pytest.raises(Unauthenticated):
        await bench.ask()
    assert len(bench.issuer.asked) == 1
    assert bench.outdated == [bench.olivia]
    bench.now_s += 1
    await bench.run_due_checks()
    assert len(bench.rechecks) == 0


async def test_removed_role_changes_the_viewer_of_later_requests(bench: Bench) -> None:
    assert (await bench.ask()).is_organizer
    bench.now_s += RECHECK_S
    bench.issuer.state = WITHOUT_ROLE
    changed = await bench.ask()
    assert changed == replace(bench.olivia, roles=frozenset({Role.CUSTOMER}))
    assert bench.outdated == [bench.olivia]
    assert await bench.ask() == changed


async def test_roles_stay_unchanged_if_the_issuer_names_none(bench: Bench) -> None:
    bench.now_s += RECHECK_S
    bench.issuer.state = TokenState(is_active=True)
    assert await bench.ask() == bench.olivia
    assert bench.outdated == []


@pytest.mark.parametrize(("state", "reason"), [(INACTIVE, SESSION_ENDED), (WITHOUT_ROLE, ROLES_CHANGED)])
async def test_connection_is_closed_when_its_caller_is_outdated(bench: Bench, state: TokenState, reason: str) -> None:
    await bench.ask()
    other = viewer("olivia", Role.ORGANIZER, sid="s2", issued_at=START_S)
    bench.connections.callers = [bench.olivia, other]
    bench.issuer.state = state
    bench.now_s += RECHECK_S
    await bench.run_due_checks()
    assert bench.connections.ended == [(bench.olivia, reason)]
    assert bench.rechecks.refusal_for(bench.olivia) == reason
    assert bench.rechecks.refusal_for(other) is None


async def test_restored_role_is_accepted_again(bench: Bench) -> None:
    bench.issuer.state = WITHOUT_ROLE
    bench.now_s += RECHECK_S
    assert not (await bench.ask()).is_organizer
    bench.issuer.state = ACTIVE
    bench.now_s += RECHECK_S
    assert (await bench.ask()).is_organizer
    assert bench.rechecks.refusal_for(bench.olivia) is None


async def test_token_in_use_is_checked_again_before_a_minute_has_passed(bench: Bench) -> None:
    await bench.ask()
    bench.now_s += 53
    await bench.run_due_checks()
    assert bench.issuer.asked == []
    bench.now_s += 2
    await bench.run_due_checks()
    assert len(bench.issuer.asked) == 1


async def test_unused_token_is_checked_only_if_it_has_an_open_connection(bench: Bench) -> None:
    await bench.ask()
    bench.now_s += 10 * RECHECK_S
    await bench.run_due_checks()
    assert bench.issuer.asked == []
    bench.connections.callers = [bench.olivia]
    await bench.run_due_checks()
    assert len(bench.issuer.asked) == 1


async def test_token_is_not_checked_right_before_it_expires(bench: Bench) -> None:
    short = replace(bench.olivia, expires_at=START_S + RECHECK_S)
    bench.connections.callers = [await bench.ask(short)]
    bench.issuer.state = INACTIVE
    bench.now_s = START_S + RECHECK_S - 3
    await bench.run_due_checks()
    assert (bench.issuer.asked, bench.connections.ended) == ([], [])


async def test_concurrent_requests_share_one_check(bench: Bench) -> None:
    bench.now_s += RECHECK_S
    bench.issuer.gate.clear()
    requests = [asyncio.create_task(bench.ask()) for _ in range(10)]
    await wait_until(lambda: bench.issuer.asked, what="the check")
    bench.issuer.gate.set()
    assert await asyncio.gather(*requests) == [bench.olivia] * 10
    assert len(bench.issuer.asked) == 1


async def test_issuer_outage_extends_the_validity_of_its_last_answer(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.ask()
    bench.connections.callers = [bench.olivia]
    bench.issuer.failure = IssuerUnavailable("https://id.example.org does not answer")
    bench.now_s += RECHECK_S
    for _ in range(5):
        assert await bench.ask() == bench.olivia
    assert len(bench.issuer.asked) == 1
    bench.now_s = START_S + RECHECK_S + EXTENSION_S - 1
    assert await bench.ask() == bench.olivia
    await bench.run_due_checks()
    assert bench.connections.ended == []
    bench.now_s += 1
    with pytest.raises(TemporarilyUnavailable) as caught:
        await bench.ask()
    assert caught.value.retry_after_s == RETRY_S
    bench.rechecks.start_due_checks()
    assert bench.connections.ended == [(bench.olivia, UNCONFIRMED)]
    bench.issuer.failure = None
    bench.now_s += RETRY_S
    await bench.run_due_checks()
    assert await bench.ask() == bench.olivia
    assert bench.rechecks.refusal_for(bench.olivia) is None
    assert caplog.messages == [
        "privileged sessions cannot be rechecked, trying again: https://id.example.org does not answer",
        "privileged sessions can be rechecked again",
    ]


async def test_request_does_not_wait_long_for_an_issuer_that_hangs(bench: Bench) -> None:
    clock = LoopClock()
    bench.now_s += RECHECK_S
    bench.issuer.gate.clear()
    request = asyncio.create_task(bench.ask())
    await wait_until(lambda: bench.issuer.asked, what="the check")
    clock.advance(REQUEST_WAIT_S)
    assert await request == bench.olivia
    clock.advance(module.CHECK_TIMEOUT_S)
    await wait_until(lambda: not bench.rechecks.running_checks, what="the end of the check")
    assert await bench.ask() == bench.olivia
    assert len(bench.issuer.asked) == 1


async def test_checks_are_bounded_in_number_and_rate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[float] = []
    sleep = asyncio.sleep

    async def record(delay_s: float) -> None:
        started.append(delay_s)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", record)
    for number in range(10):
        await bench.ask(viewer(f"p{number}", Role.GATE, issued_at=START_S, expires_at=START_S + 3_600))
    bench.now_s += RECHECK_S - 1
    bench.issuer.gate.clear()
    bench.rechecks.start_due_checks()
    await wait_until(lambda: bench.issuer.running == MAX_CONCURRENT_CHECKS, what="the first checks")
    bench.issuer.gate.set()
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await wait_until(lambda: not bench.rechecks.running_checks, what="the end of all checks")
    assert (len(bench.issuer.asked), bench.issuer.most_running) == (10, MAX_CONCURRENT_CHECKS)
    waits = [delay_s for delay_s in started if delay_s != 0.01][:MAX_CONCURRENT_CHECKS]
    assert waits == sorted(waits)
    assert waits[-1] > 2 / module.MAX_CHECKS_PER_S


async def test_tokens_beyond_the_bound_replace_unused_ones_or_are_refused() -> None:
    bench = Bench(capacity=2)
    people = [viewer(f"p{number}", Role.GATE, issued_at=START_S, expires_at=START_S + 3_600) for number in range(4)]
    for person in people[:2]:
        await bench.ask(person)
    with pytest.raises(TemporarilyUnavailable, match="Too many organizers"):
        await bench.ask(people[2])
    alice = viewer("alice")
    assert await bench.ask(alice) is alice
    bench.connections.callers = [people[0]]
    bench.now_s += RECHECK_S
    assert await bench.ask(people[2])
    assert len(bench.rechecks) == 2
    assert await bench.ask(people[0])
    await bench.rechecks.aclose()


async def test_session_is_followed_across_several_tokens(bench: Bench) -> None:
    async def access_token() -> str:
        return "the newest token"

    credential = Credential(b"session", None, access_token)
    first = replace(bench.olivia, expires_at=None)
    assert await bench.rechecks.current(credential, first) == first
    bench.connections.callers = [first]
    bench.now_s += 50
    renewed = replace(first, issued_at=bench.now_s)
    assert await bench.rechecks.current(credential, renewed) == renewed
    bench.now_s += 50
    await bench.run_due_checks()
    assert (bench.issuer.asked, bench.connections.ended) == ([], [])
    bench.issuer.state = WITHOUT_ROLE
    bench.now_s += 10
    await bench.run_due_checks()
    assert bench.issuer.asked == ["the newest token"]
    assert bench.connections.ended == [(first, ROLES_CHANGED)]
    bench.now_s += RECHECK_S
    await bench.run_due_checks()
    assert len(bench.rechecks) == 0
