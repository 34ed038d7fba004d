"""The layer table of a hold: which layer a stack belongs to, and what the layers add up to."""

import importlib.util
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bench.hold_layers.__main__ import Part, summarize_parts
from bench.hold_layers.layers import CLIENT, LAYERS, OTHER, find_layer, shares
from bench.hold_layers.sampler import sample_layers
from bench.metrics import NotMeasured

SENDING = ["bench.queueing.load", "asyncio.runners"]


def call_from(module: str, call: Callable[[], object]) -> None:
    """Call a function from a frame that belongs to the module."""
    namespace: dict[str, Any] = {"__name__": module}
    exec("def pass_on(call): call()", namespace)  # noqa: S102 - our own source
    namespace["pass_on"](call)


@pytest.mark.parametrize(
    ("modules", "layer"),
    [
        (["auth.passes", "resolvers.queues"], "queue pass"),
        (["auth.tokens", "web.graphql"], "access token"),
        (["web.logs", "web.middleware"], "access line"),
        (["graphql.execution.values", "schema.execution.operation"], "variables and arguments"),
        (["graphql.execution.execute", "schema.execution.operation"], "graphql-core"),
        (["storage.hot.script_client", "storage.hot.holds"], "connection to the store"),
        (["storage.hot.holds", "resolvers.holds"], "calls of the store"),
        (["uvicorn.protocols.http.httptools_impl", *SENDING], "HTTP connection (uvicorn)"),
        (SENDING, CLIENT),
    ],
)
def test_stack_belongs_to_the_layer_of_its_innermost_frame(modules: list[str], layer: str) -> None:
    assert find_layer(modules) == layer


def test_library_outside_the_table_counts_for_its_caller() -> None:
    assert find_layer(["json.encoder", "json", "web.logs", "uvicorn.server"]) == "access line"


def test_name_that_only_begins_like_a_layer_does_not_belong_to_it() -> None:
    assert find_layer(["webbrowser", "authlib.jose", "graphql_sync"]) == OTHER


def test_frames_outside_the_event_loop_do_not_count() -> None:
    assert find_layer(["asyncio.events", "asyncio.runners", "web.server", "bench.runs"]) == OTHER
    assert find_layer([]) == OTHER


def test_each_module_of_the_table_exists() -> None:
    names = [name for prefixes in LAYERS.values() for name in prefixes]
    assert [name for name in names if importlib.util.find_spec(name) is None] == []
    assert len(names) == len(set(names))


def test_shares_of_all_layers_sum_to_100_percent() -> None:
    found = shares({"queue pass": 1, "access line": 1, OTHER: 1})
    assert found["queue pass"] == pytest.approx(100 / 3)
    assert sum(found.values()) == pytest.approx(100)
    assert list(found) == [*LAYERS, OTHER]


def test_layers_of_a_result_sum_to_the_cpu_time_of_a_hold() -> None:
    with_pass = Part([410.0, 400.0, 390.0], [0.02, 0.05, 0.0], Counter({"queue pass": 30, "access line": 65, OTHER: 5}))
    without = Part([300.0], [0.01], Counter({"access line": 10}))
    result = summarize_parts({"onsale-pass": with_pass, "onsale": without})
    assert result["rows"][0] == {
        "server": "onsale-pass",
        "cpu_us": {"median": 400.0, "min": 390.0, "max": 410.0},
        "samples": 100,
        "noise": 0.05,
    }
    layers = {one["layer"]: one for one in result["layers"]}
    assert layers["queue pass"]["us"] == {"onsale-pass": 120.0, "onsale": 0.0}
    assert layers["access line"]["percent"] == {"onsale-pass": 65.0, "onsale": 100.0}
    for name, cpu_us in (("onsale-pass", 400), ("onsale", 300)):
        assert sum(one["us"][name] for one in layers.values()) == pytest.approx(cpu_us)
        assert sum(one["percent"][name] for one in layers.values()) == pytest.approx(100)


def test_part_without_samples_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="measure more holds"):
        summarize_parts({"onsale": Part([300.0], [0.0])})


def test_sampler_counts_the_layer_that_a_signal_interrupts() -> None:
    samples = Counter[str]()
    with sample_layers(samples):
        call_from("auth.passes", lambda: signal.raise_signal(signal.SIGPROF))
    assert samples["queue pass"] >= 1
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
