"""bench, proofs and tests/support use the settings that the server's code defines."""

import ast
import asyncio
import gc
import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import web.server
from bench.metrics import NotMeasured
from bench.queueing import __main__ as bench_queue
from bench.queueing import frame_server, ticks
from bench.queueing.in_process_queue import InProcessQueue
from domain.ids import ConcertId
from settings import Settings
from storage.hot.hot_state import AdmissionRun, ExpiryRun
from storage.time_slice import TimeSlice
from subscriptions.publishing.push_intervals import PushIntervals
from tests.support import shop
from workers import admission, expiry

ROOT = Path(__file__).parents[2]
PROCESS_SETTINGS = {"set_threshold", "setrlimit", "new_event_loop", "set_event_loop_policy"}


@pytest.fixture
def process() -> Iterator[None]:
    """Restore the limits of this process, which the program under test may change."""
    thresholds, file_limits = gc.get_threshold(), resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    gc.set_threshold(*thresholds)
    resource.setrlimit(resource.RLIMIT_NOFILE, file_limits)


@pytest.mark.usefixtures("process")
def test_bench_queue_configures_its_process_like_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    async def measure(*_: object) -> None:
        soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        seen.extend([type(asyncio.get_running_loop()).__module__, gc.get_threshold(), soft_limit == hard_limit])
        raise NotMeasured("stop here")

    monkeypatch.setattr(bench_queue, "measure", measure)
    monkeypatch.setattr(web.server, "GC_THRESHOLDS", (1_000, 7, 3))
    assert bench_queue.main([]) == 2
    assert seen == ["uvloop", (1_000, 7, 3), True]


@pytest.mark.parametrize("folder", ["app.py", "web", "workers", "bench", "proofs", "tests/support"])
def test_only_the_web_server_changes_process_settings(folder: str) -> None:
    uses = {
        f"{path.relative_to(ROOT).as_posix()}: {node.attr}"
        for path in sorted([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in PROCESS_SETTINGS
    }
    assert {place for place in uses if not place.startswith(("web/server.py", "web/open_files.py"))} == set()


def test_bench_queue_hub_has_the_servers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "Settings", lambda: Settings(push_tick_ms=30, push_intervals=((9, 0), (None, 70))))
    monkeypatch.setattr(ticks, "Hub", lambda *parts, **settings: (parts, settings))
    queue: Any = SimpleNamespace(stores=SimpleNamespace(queues="queues"))
    made: object = ticks.make_hub("feed", "reader", queue)  # type: ignore[arg-type]
    assert made == (("feed", "reader", "queues"), {"tick_s": 0.03, "push_intervals": PushIntervals(((9, 0.0),), 0.07)})


class FakeHotState:
    """Records the limit of each run."""

    def __init__(self) -> None:
        self.limits: list[int] = []

    async def expire_holds(self, concert_id: ConcertId, *, limit: int) -> ExpiryRun:
        self.limits.append(limit)
        return ExpiryRun("EXPIRED", is_active=False)

    async def run_admission(self, concert_id: ConcertId, *, bound: int) -> AdmissionRun:
        self.limits.append(bound)
        return AdmissionRun("RAN", is_active=False)


async def test_in_process_queue_uses_the_workers_limits() -> None:
    hot, nothing = FakeHotState(), SimpleNamespace()
    stores: Any = SimpleNamespace(hot_state=hot)
    await InProcessQueue(stores, nothing, nothing).run_workers(ConcertId("abcdefghjkmn"))  # type: ignore[arg-type]
    assert hot.limits == [expiry.MAX_HOLDS_PER_CALL, admission.BOUND]


def test_frame_server_yields_as_often_as_the_hub() -> None:
    assert vars(frame_server)["TimeSlice"] is TimeSlice


def test_test_shop_has_the_servers_body_limit() -> None:
    assert Settings().max_body_bytes == shop.MAX_BODY_BYTES
