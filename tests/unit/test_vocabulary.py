"""The words of this project: replaced names stay away, and so do words that say too little.

Persisted names, SDL names and words that also mean something else (the lines of an order, the
templates of a payload) are not in the table.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__)

FOLDERS = (
    "domain",
    "storage",
    "subscriptions",
    "resolvers",
    "schema",
    "auth",
    "web",
    "workers",
    "bench",
    "proofs",
    "deploy",
    "tests",
)

# Old name: the one that replaced it. A name is forbidden as a whole name of a module, package, Lua
# script, class, function or attribute.
REPLACED = {
    "agenda": "schedule",
    "attach": "sync_presence",
    "attachments": "presence",
    "Attachments": "Presence",
    "audits": "room_audits",
    "bands": "push_intervals",
    "Bands": "PushIntervals",
    "believed": "is_trusted",
    "board": "stock_poller",
    "books": "store_dump",
    "breath": "yielding",
    "bury": "to_dead_letter",
    "Caps": "AdmissionCaps",
    "CapacityStore": "ConcertWriter",
    "come": "add",
    "concert_watch": "concert_publisher",
    "consuming": "stream_consumer",
    "count_try": "count_attempt",
    "course": "call_projection",
    "Course": "CallProjection",
    "Deed": "RoomCommand",
    "desk": "mutations",
    "Doubt": "RecoveryGuard",
    "entrance": "queue_behavior",
    "face": "graphql_service",
    "figures": "metrics",
    "forecast": "sold_out_forecast",
    "freeze_line": "freeze_queue",
    "ground": "environment",
    "Habit": "BuyerBehavior",
    "histories": "event_histories",
    "hold_watch": "hold_publisher",
    "HoldLine": "TicketLine",
    "Inside": "SlotOccupancy",
    "is_welcome": "is_allowed",
    "laboratory": "in_process_queue",
    "Line": "TicketLine or QueuePositions",
    "line_watch": "queue_publisher",
    "line_words": "fingerprint_parts",
    "LineInput": "TicketLineInput",
    "LineOpened": "QueueOpened",
    "LineOpenedError": "QueueOpenedError",
    "LineRequest": "TicketRequest",
    "LineSnapshot": "QueueSnapshot",
    "LineState": "QueueState",
    "LineTopic": "QueueTopic",
    "Link": "ScriptClient",
    "living": "concert_cache",
    "LivingConcerts": "ConcertCache",
    "look": "read, refresh or see",
    "Look": "RunResult",
    "looking": "concert_worker",
    "Manner": "QueueBehavior",
    "Measured": "QueueRates",
    "measured": "queue_rates",
    "Member": "Subscriber",
    "name_people": "mark_changed",
    "newest": "active_operations",
    "news": "hint, event or message",
    "NO_PACE": "NO_ESTIMATE",
    "Once": "LoadOnce",
    "open_line": "open_queue",
    "Openings": "LotteryOpener",
    "order_watch": "order_publisher",
    "organizing": "mutations.concerts",
    "Outlook": "SoldOutForecast",
    "Pace": "WaitTable or TokenBucket",
    "pace": "wait_estimates or token_bucket",
    "pace_of": "build_wait_table",
    "paces": "wait_tables",
    "Paces": "WaitTableCache",
    "packing": "resp",
    "pass_keys": "pass_jwks",
    "patience": "wait_until",
    "Prospect": "Membership",
    "Reach": "PushIntervals",
    "read_place": "read_position",
    "Recorder": "OrderSync",
    "recording": "order_sync",
    "refusals": "http_errors",
    "rehearsal": "in_process_hub",
    "rights": "permissions",
    "room_watch": "room_publisher",
    "RoomView": "RoomSnapshot",
    "rush": "driver",
    "scene": "shared_snapshot",
    "Scene": "SharedSnapshot",
    "scenes": "queue_steps",
    "scores": "scoring",
    "show_entry": "build_entry",
    "sightings": "observations",
    "sites": "sale_targets",
    "spectators": "socket_clients",
    "spoken_for": "is_present",
    "stage": "in_process_hub",
    "Stand": "Membership",
    "standing": "queue_subscriber",
    "Standing": "QueueSubscriber",
    "standing_line": "fake_queue",
    "standing_of": "find_waiting_entry",
    "Starter": "HubOperationRunner",
    "stay_until": "extend_presence",
    "streaming": "event_streams",
    "take_events": "claim_events",
    "Tasks": "DetachedTasks",
    "tell": "publish, sync or append_event",
    "told": "outcomes",
    "turnover": "slot_occupancy",
    "verified": "verified_tokens",
    "visitors": "users",
    "Visits": "VisitStages",
    "Watch": "SubscriptionHandle",
    "watched": "in_process_hub",
    "watchers": "subscriber_groups",
    "Watchers": "SubscriberGroups",
    "watching": "subscription_fields",
}

LOOSE_WORDS = re.compile(r"\b(some|no|every)body\b|\bwhoever\b", re.IGNORECASE)
LOOSE_OPENING = re.compile(r"(Of|Who|What|Whoever|As many as)\b")
TEXTS = {".py", ".lua", ".graphql", ".ts", ".tsx", ".mjs", ".css", ".html", ".svg", ".md", ".toml"}
NOT_OURS = {"node_modules", "dist", "__pycache__", "data"}

PYTHON = sorted(
    [ROOT / "app.py", ROOT / "settings.py", *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
)
WRITTEN = sorted(
    path
    for folder in (*FOLDERS, "docs", "frontend")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in TEXTS and path != HERE and not NOT_OURS & set(path.parts)
)
TOP_LEVEL = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "app.py", "settings.py")
]


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of classes, functions and attributes that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            )
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def module_names(path: Path) -> set[str]:
    """Return the name of a module or script and of the packages it lies in."""
    return {path.stem, *path.relative_to(ROOT).parts[:-1]}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("class Scene: ...", {"Scene"}),
        ("async def look(): ...", {"look"}),
        ("class Order:\n    news: int", {"Order", "news"}),
        ("def order(self):\n    self.told = 1", {"order", "told"}),
        ("scene = Scene", set()),
    ],
)
def test_defined_names_are_found(source: str, names: set[str]) -> None:
    assert set(defined_names(ast.parse(source))) == names


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_python_uses_no_replaced_name() -> None:
    found = {
        f"{where(path)}: {name}": REPLACED[name]
        for path in PYTHON
        for name in {*module_names(path), *defined_names(parse(path))} & REPLACED.keys()
    }

    assert found == {}


def test_lua_scripts_have_no_replaced_name() -> None:
    scripts = {path.stem for path in (ROOT / "storage" / "lua").rglob("*.lua")}

    assert scripts
    assert scripts & REPLACED.keys() == set()


def test_no_module_is_named_as_one_of_the_standard_library() -> None:
    assert [where(path) for path in PYTHON if path.stem in sys.stdlib_module_names] == []


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = [
        f"{where(path)}: {text.splitlines()[0]}"
        for path in PYTHON
        for text in docstrings(parse(path))
        if LOOSE_OPENING.match(text)
    ]

    assert found == []


def test_texts_use_no_loose_word_for_a_person() -> None:
    found = [
        f"{where(path)}:{number}: {line.strip()}"
        for path in [*TOP_LEVEL, *WRITTEN]
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if LOOSE_WORDS.search(line)
    ]

    assert found == []


def test_test_modules_have_names_of_their_own() -> None:
    names = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))


def test_test_names_have_at_most_70_characters() -> None:
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in defined_names(parse(path))
        if name.startswith("test_") and len(name) > 70
    }

    assert found == set()


def test_test_modules_import_no_test_module() -> None:
    found = [
        f"{where(path)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for name in imported_modules(parse(path))
        if name.startswith(("tests.unit", "tests.integration", "tests.e2e"))
    ]

    assert found == []
