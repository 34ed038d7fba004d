"""A start that is not ready for a moment is not logged; one that stays unready is. Many requests
share a check.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from storage.readiness.hot_store import OtherStore
from storage.readiness.readiness import RECENT_S, STARTING_S, Readiness


class Store:
    """A store with one problem or none."""

    def __init__(self) -> None:
        self.is_unready: str | None = None
        self.checks = 0

    async def problem(self, *, within_s: float) -> str | None:
        self.checks += 1
        return self.is_unready

    deployment: str | None = None


class NoneSuperseded:
    def count(self) -> int:
        return 0

    def other_stores(self) -> tuple[OtherStore, ...]:
        return ()


class KnownLayout:
    problem: str | None = None

    async def check(self) -> None: ...


class EqualClocks:
    problem: str | None = None
    warning: str | None = None


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def store() -> Store:
    return Store()


def make_readiness(
    hot: Any,
    orders: Any,
    *,
    layout: KnownLayout | None = None,
    clocks: EqualClocks | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Readiness:
    return Readiness(
        hot, orders, NoneSuperseded(), layout=layout or KnownLayout(), clocks=clocks or EqualClocks(), clock=clock
    )


@pytest.fixture
def readiness(store: Store, now: list[float]) -> Readiness:
    return make_readiness(Store(), store, clock=lambda: now[0])


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_short_start_is_not_logged(readiness: Readiness, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.is_unready = "no index"
    assert await readiness.problems() == ["no index"]
    store.is_unready = None
    assert await readiness.problems() == []
    assert lines_of(caplog) == []


async def test_start_that_stays_unready_is_logged_once(
    readiness: Readiness, store: Store, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    store.is_unready = "standalone"
    await readiness.problems()
    now[0] = STARTING_S
    for _ in range(3):
        await readiness.problems()
    assert lines_of(caplog) == ["this server is not ready: standalone"]


async def test_later_problem_is_logged_at_once(
    readiness: Readiness, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await readiness.problems()
    store.is_unready = "full"
    await readiness.problems()
    store.is_unready = None
    await readiness.problems()
    assert lines_of(caplog) == ["this server is not ready: full", "this server is ready again"]


async def test_flood_of_requests_costs_the_stores_one_check_a_second(
    readiness: Readiness, store: Store, now: list[float]
) -> None:
    """Failing value before: a check for each request that came after another had ended."""
    for _ in range(50):
        assert await readiness.recent_problems() == []
    assert store.checks == 1
    now[0] = RECENT_S
    store.is_unready = "full"
    for _ in range(50):
        assert await readiness.recent_problems() == ["full"]
    assert store.checks == 2


async def test_check_that_took_long_is_not_used_again(readiness: Readiness, store: Store, now: list[float]) -> None:
    """The time counts from the beginning of a check, when the stores were asked."""

    async def slow_check() -> None:
        now[0] += RECENT_S

    layout = KnownLayout()
    layout.check = slow_check  # type: ignore[method-assign]
    slow = make_readiness(Store(), store, layout=layout, clock=lambda: now[0])
    assert await slow.recent_problems() == []
    store.is_unready = "full"
    assert await slow.recent_problems() == ["full"]


async def test_store_with_a_newer_layout_is_not_written_to(store: Store) -> None:
    newer, hot, orders = KnownLayout(), Store(), store
    newer.problem = "newer"
    assert await make_readiness(hot, orders, layout=newer).problems() == ["newer"]
    assert hot.checks == orders.checks == 0


async def test_wrong_clock_of_a_store_is_a_warning_and_of_this_host_a_problem(store: Store) -> None:
    clocks = EqualClocks()
    readiness = make_readiness(Store(), store, clocks=clocks)
    clocks.warning = "the clock of Redis"
    assert (await readiness.problems(), readiness.warnings) == ([], ["the clock of Redis"])
    clocks.problem, clocks.warning = "the clock of this host", None
    assert (await readiness.problems(), readiness.warnings) == (["the clock of this host"], [])
