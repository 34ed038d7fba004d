"""Settings of the server process that differ from the defaults."""

import gc
from collections.abc import Iterator

import pytest

import app
from settings import Settings, SettingsError
from web import logs
from web.server import GC_THRESHOLDS, configure_gc


@pytest.fixture
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("thresholds")
def test_full_collection_runs_after_a_million_allocations() -> None:
    configure_gc()
    assert gc.get_threshold() == GC_THRESHOLDS
    assert gc.get_freeze_count() > 10_000
    young, middle, old = GC_THRESHOLDS
    assert young * middle * old == 1_000_000


@pytest.mark.usefixtures("thresholds")
async def test_every_server_configures_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "configure", lambda _: None)
    gc.set_threshold(700, 10, 10)
    served = app.create_app(Settings())
    with pytest.raises(SettingsError):
        async with served.router.lifespan_context(served):
            pass
    assert gc.get_threshold() == GC_THRESHOLDS
