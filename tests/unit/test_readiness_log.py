"""A start that is not ready for a moment is not logged; one that stays unready is."""

from typing import Any

import pytest

from storage.readiness.hot_store import OtherStore
from storage.readiness.readiness import STARTING_S, Readiness


class Store:
    """A store with one problem or none."""

    def __init__(self) -> None:
        self.is_unready: str | None = None

    async def problem(self, *, within_s: float) -> str | None:
        return self.is_unready

    async def deployment_id(self) -> str | None:
        return None


class NoneSuperseded:
    def count(self) -> int:
        return 0

    def other_stores(self) -> tuple[OtherStore, ...]:
        return ()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def readiness(store: Store, now: list[float]) -> Readiness:
    hot: Any = Store()
    orders: Any = store
    return Readiness(hot, orders, NoneSuperseded(), clock=lambda: now[0])


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
