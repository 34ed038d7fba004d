"""The comparison with other servers: how peers are built, and how their rounds become figures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import fanout, holds
from bench.fanout import CHURN, SMALL, UUID, Work, list_work
from bench.metrics import NotMeasured
from bench.peers import build as building
from bench.peers.build import BY_FOLDER, BuildFailed, build
from bench.peers.participants import check_peer_message, stock_at
from bench.peers.peers import BY_NAME, PEERS, SOURCES
from bench.peers.rounds import Schedule, choose_peers
from bench.peers.versions import describe_peer, read_versions
from bench.report.goals import GOALS
from bench.report.sections import render_charts
from bench.runs import Result


def fanout_result(per_s: float, p99_ms: float = 10.0, **changes: Any) -> Result:
    figures = dict.fromkeys(fanout.FIGURES, 1.0)
    counts = {"missing": 0, "duplicates": 0, "sockets_lost": 0, "errors": {}, "cpu": {"server": 0.9}, "noise": 0.0}
    return {**figures, **counts, "deliveries_per_s": per_s, "p99_ms": p99_ms, "churn_per_s": 500.0, **changes}


def hold_result(per_s: float) -> Result:
    return {"req_per_s": per_s, "p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0, "cpu": {"server": 1.0}, "noise": 0.01}


def test_ratios_are_of_medians_at_the_same_number_of_sockets() -> None:
    rounds = {
        (Work(SMALL, 1_000), "onsale"): [fanout_result(90), fanout_result(80), fanout_result(10)],
        (Work(SMALL, 1_000), "mercurius"): [fanout_result(20), fanout_result(16), fanout_result(16)],
        (Work(SMALL, 5_000), "onsale"): [fanout_result(120, 50.0, reach=0.5)],
        (Work(UUID, 1_000), "onsale"): [fanout_result(60)],
        (Work(UUID, 1_000), "limit-frames"): [fanout_result(100)],
    }
    figures = fanout.summarize_rounds(rounds)
    assert figures["ratio_to_mercurius"] == {"1000": 5.0}
    assert figures["ratio_to_async_graphql"] == {}
    assert figures["ratio_to_limit_uuid"] == {"1000": 0.6}
    assert figures["deliveries_per_s"] == {"1000": 80, "5000": 120}
    assert figures["delivery_p99_ms"] == {"1000": 10.0, "5000": 50.0}
    assert figures["reach"] == {"1000": 1.0, "5000": 0.5}
    assert [(row["server"], row["kind"], row["sockets"]) for row in figures["rows"]] == [
        ("onsale", SMALL, 1_000),
        ("mercurius", SMALL, 1_000),
        ("onsale", SMALL, 5_000),
        ("onsale", UUID, 1_000),
        ("limit-frames", UUID, 1_000),
    ]
    assert figures["rows"][0]["deliveries_per_s"] == {"median": 80, "min": 10, "max": 90}


def test_churn_has_a_row_without_deliveries() -> None:
    figures = fanout.summarize_rounds({(Work(CHURN, 64), "onsale"): [fanout_result(9)]})
    [row] = figures["rows"]
    assert row["churn_per_s"] == {"median": 500, "min": 500, "max": 500}
    assert "deliveries_per_s" not in row
    assert figures["deliveries_per_s"] == {}


def test_slow_peers_and_limits_of_holds_do_not_fan_out() -> None:
    assert [peer.name for peer in PEERS if not peer.fans_out] == ["strawberry", "limit-http", "wire"]
    assert [peer.name for peer in PEERS if not peer.holds] == ["limit-frames"]


def test_ratios_of_holds_are_those_with_a_pass() -> None:
    rounds = {
        ("onsale-pass", 64): [hold_result(2_000), hold_result(2_200), hold_result(2_400)],
        ("onsale-pass", 256): [hold_result(3_000)],
        ("onsale", 64): [hold_result(5_000)],
        ("mercurius", 64): [hold_result(11_000)],
        ("mercurius", 256): [hold_result(12_000)],
    }
    figures = holds.summarize_rounds(rounds)
    assert figures["holds_per_s_with_pass"] == {"64": 2_200, "256": 3_000}
    assert figures["holds_per_s"] == {"64": 5_000}
    assert figures["ratio_to_mercurius"] == {"64": 0.2, "256": 0.25}
    assert figures["rows"][0]["holds_per_s"] == {"median": 2_200, "min": 2_000, "max": 2_400}


def test_row_of_another_load_says_how_it_differs() -> None:
    released = {**hold_result(1_800), "releases_per_s": 180.0}
    rounds = {("onsale-pass-releases", 64): [released], ("onsale-pass-proxy", 64): [hold_result(1_500)]}
    figures = holds.summarize_rounds(rounds)
    releases, proxy = figures["rows"]
    assert (releases["load"], releases["releases_per_s"]["median"]) == ("a tenth of the holds is released", 180)
    assert proxy["settings"] == {"ONSALE_TRUSTED_PROXIES": "127.0.0.1"}
    assert figures["holds_per_s_with_pass"] == {}


def test_report_finds_every_figure_of_a_goal() -> None:
    others = ("async-graphql", "mercurius", "limit-frames")
    works = [work for work in list_work(fanout.DEFAULTS) if work.kind != CHURN]
    pushed = {(work, name): [fanout_result(1.0)] for work in works for name in ("onsale", *others)}
    servers = ("onsale-pass", "mercurius", "strawberry")
    held = {(name, count): [hold_result(2_000)] for name in servers for count in (64, 256)}
    results = {"fanout": fanout.summarize_rounds(pushed), "hold": holds.summarize_rounds(held)}
    assert [goal.what for goal in GOALS if goal.result in results and goal.find(results) is None] == []
    charts = render_charts(results)
    assert sorted(charts) == ["fanout", "fanout-memory", "fanout-p99", "hold"]
    assert all("Onsale" in chart and "Mercurius" in chart for chart in charts.values())


async def test_participant_is_left_out_and_named_after_three_failures() -> None:
    schedule, attempts = Schedule(4, 60.0), 0

    async def fail() -> Result:
        nonlocal attempts
        attempts += 1
        raise NotMeasured("a message had the wrong stock")

    assert [await schedule.run("gqlgen", fail) for _ in range(2)] == [None, None]
    assert schedule.failed == {}
    assert [await schedule.run("gqlgen", fail) for _ in range(2)] == [None, None]
    assert (attempts, schedule.failed) == (3, {"gqlgen": "a message had the wrong stock"})


async def test_no_run_begins_after_the_time_limit() -> None:
    schedule = Schedule(1, 0.0)

    async def succeed() -> Result:
        return {"noise": 0.0}

    assert await schedule.run("gqlgen", succeed) is None
    assert schedule.failed == {}


@pytest.mark.parametrize(("done", "repeats", "runs"), [(1, True, 3), (0, True, 1), (1, False, 1)])
async def test_noisy_run_is_repeated_only_ahead_of_schedule(done: int, repeats: bool, runs: int) -> None:
    schedule, attempts = Schedule(1, 60.0, repeats=repeats, done=done), 0

    async def attempt() -> Result:
        nonlocal attempts
        attempts += 1
        return {"noise": 0.5 - attempts / 10}

    result = await schedule.run("gqlgen", attempt)
    assert (attempts, result) == (runs, {"noise": 0.5 - runs / 10})


async def test_message_with_the_stock_of_another_version_is_refused() -> None:
    stock = stock_at(1_000_007)
    await check_peer_message({"sample": json.dumps({"payload": {"data": {"stockChanged": stock}}})})
    stock["tiers"][5]["sold"] += 1
    with pytest.raises(NotMeasured, match="wrong stock"):
        await check_peer_message({"sample": json.dumps({"payload": {"data": {"stockChanged": stock}}})})


def test_versions_of_a_peer_come_from_its_pins() -> None:
    pins = {name: read_versions(BY_NAME[name]) for name in ("async-graphql", "gqlgen", "mercurius")}
    assert pins["async-graphql"]["async-graphql"] == "7.2.1"
    assert pins["gqlgen"]["99designs/gqlgen"] == "0.17.90"
    assert pins["mercurius"]["mercurius"] == "16.10.1"
    assert "strawberry-graphql" in describe_peer(BY_NAME["strawberry-caches"])["versions"]


def test_lock_files_of_peers_have_hashes_and_no_registry() -> None:
    cargo = (SOURCES / "async-graphql" / "Cargo.lock").read_text()
    assert "://" not in cargo
    assert cargo.count("checksum = ") == cargo.count("[[package]]") - 1
    packages: dict[str, Any] = json.loads((SOURCES / "mercurius" / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package and "resolved" not in package for name, package in packages.items() if name)
    assert "://" not in (SOURCES / "gqlgen" / "go.sum").read_text()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which tools are found, and a build folder of the test's own."""
    monkeypatch.setattr(building, "BUILD", tmp_path / "build")
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add_tool(folder: Path, name: str, script: str) -> None:
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o700)


def test_peer_that_is_not_built_is_skipped_with_a_reason(tools: Path) -> None:
    add_tool(tools, "node", "")
    chosen, skipped = choose_peers(["mercurius", "limit-frames"])
    assert [peer.name for peer in chosen] == ["limit-frames"]
    command = "run `make bench-peers`, which needs npm"
    assert skipped == {"mercurius": f"it is not built from the present sources; {command}"}


def test_build_without_its_tool_says_which_one_is_missing(tools: Path) -> None:
    with pytest.raises(BuildFailed, match="needs cargo"):
        build(BY_FOLDER["async-graphql"])


def test_build_that_fails_shows_the_message_of_its_tool(tools: Path) -> None:
    add_tool(tools, "go", "echo no such module >&2; exit 1")
    with pytest.raises(BuildFailed, match=r"`go build -o loadgen \.` failed:\nno such module"):
        build(BY_FOLDER["loadgen"])


def test_folder_is_built_again_only_if_its_sources_change(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tool(tools, "go", f'echo "$@" >> {tmp_path / "calls"}')
    for _ in range(2):
        build(BY_FOLDER["loadgen"])
    assert (tmp_path / "calls").read_text() == "build -o loadgen .\n"
    monkeypatch.setitem(BY_FOLDER, "loadgen", replace(BY_FOLDER["loadgen"], commands=("go vet .",)))
    build(BY_FOLDER["loadgen"])
    assert (tmp_path / "calls").read_text() == "build -o loadgen .\nvet .\n"


def test_build_adds_the_registry_to_the_pins_of_cargo(tools: Path, tmp_path: Path) -> None:
    add_tool(tools, "cargo", "if [ $1 = generate-lockfile ]; then echo 'source = \"registry+here\"' > Cargo.lock; fi")
    build(BY_FOLDER["async-graphql"])
    built = (tmp_path / "build" / "async-graphql" / "Cargo.lock").read_text()
    assert built.count('\nsource = "registry+here"\nchecksum = ') == built.count("checksum = ") > 0
    assert built.replace('source = "registry+here"\n', "") == (SOURCES / "async-graphql" / "Cargo.lock").read_text()
