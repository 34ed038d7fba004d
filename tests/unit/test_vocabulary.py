"""The vocabulary of this project: no replaced names and no vague words.

The table omits persisted names, SDL names, and words that also have another meaning (the lines of
an order, the templates of a payload).
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THIS_FILE = Path(__file__)

FOLDERS = (
    "domain",
    "settings",
    "telemetry",
    "storage",
    "subscriptions",
    "resolvers",
    "schema",
    "auth",
    "payments",
    "mail",
    "web",
    "workers",
    "bench",
    "proofs",
    "deploy",
    "tests",
)

# Each old name and its replacement. No module, package, class, function, attribute or constant may
# have an old name, nor may any Lua script, function or local variable.
REPLACED = {
    "agenda": "schedule",
    "attach": "sync_presence",
    "attachment": "connection",
    "attachments": "presence",
    "Attachments": "Presence",
    "audits": "room_audits",
    "bands": "push_intervals",
    "Bands": "PushIntervals",
    "believed": "is_trusted",
    "BELIEVED": "TRUSTED",
    "board": "stock_poller",
    "books": "store_dump",
    "breath": "yielding",
    "BURIED": "DEAD_LETTERED",
    "bury": "to_dead_letter",
    "Caps": "AdmissionCaps",
    "CapacityStore": "ConcertWriter",
    "come": "add",
    "concert_watch": "concert_publisher",
    "consuming": "stream_consumer",
    "count_try": "count_call",
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
    "_Lane": "_Pipeline",
    "Line": "TicketLine or QueuePositions",
    "LINE_OPENED": "QUEUE_OPENED",
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
    "pass_keys": "passes",
    "patience": "wait_until",
    "Prospect": "Membership",
    "Reach": "PushIntervals",
    "read_place": "read_position",
    "Recorder": "OrderSync",
    "recording": "order_sync",
    "refusals": "http_errors",
    "rehearsal": "in_process_hub",
    "rights": "permissions",
    "room_control": "mutations.rooms",
    "room_watch": "room_publisher",
    "RoomChange": "RoomSettingsPatch",
    "RoomView": "RoomSnapshot",
    "rush": "driver",
    "scene": "shared_snapshot",
    "Scene": "SharedSnapshot",
    "scenes": "queue_steps",
    "scores": "scoring",
    "show_entry": "build_entry",
    "_Sight": "_IncarnationSeen",
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

LUA_COMMENT = re.compile(r"--\[\[.*?\]\]|--[^\n]*", re.DOTALL)
LUA_NAMES = re.compile(r"\b(?:local(?: function)?|for)\s+(\w+(?:\s*,\s*\w+)*)")
FORBIDDEN_WORDS = re.compile(r"\b(some|no|every)body\b|\bwhoever\b", re.IGNORECASE)
FORBIDDEN_OPENING = re.compile(r"(Of|Who|What|Whoever|As many as)\b")
TEXT_SUFFIXES = {".py", ".lua", ".graphql", ".ts", ".tsx", ".mjs", ".css", ".html", ".svg", ".md", ".toml"}
EXCLUDED_FOLDERS = {"node_modules", "dist", "__pycache__", "data"}

PYTHON_FILES = sorted(
    [
        ROOT / "app.py",
        *(
            path
            for folder in FOLDERS
            for path in (ROOT / folder).rglob("*.py")
            if not EXCLUDED_FOLDERS & set(path.parts)
        ),
    ]
)
TEXT_FILES = sorted(
    path
    for folder in (*FOLDERS, "docs", "frontend")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in TEXT_SUFFIXES and path != THIS_FILE and not EXCLUDED_FOLDERS & set(path.parts)
)
TOP_LEVEL = [ROOT / name for name in ("README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "app.py")]


def defined_names(tree: ast.Module) -> Iterator[str]:
    """Yield the names of classes, functions, attributes and constants that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from assigned_names(node.body)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def assigned_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that the body of a module or class assigns."""
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from (
                node.id
                for target in targets
                for node in ast.walk(target)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )


def lua_names(source: str) -> Iterator[str]:
    """Yield the names of the functions and local variables of a Lua script."""
    for names in LUA_NAMES.findall(LUA_COMMENT.sub("", source)):
        yield from re.findall(r"\w+", names)


def forbidden_opening(text: str) -> str | None:
    """Return the first line of a docstring if it begins with forbidden words."""
    return text.splitlines()[0] if FORBIDDEN_OPENING.match(text) else None


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
    """Return the names of a module or script and of the packages that contain it."""
    return {path.stem, *path.relative_to(ROOT).parts[:-1]}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("class Scene: ...", {"Scene"}),
        ("async def look(): ...", {"look"}),
        ("class Order:\n    news: int", {"Order", "news"}),
        ("def order(self):\n    self.told = 1", {"order", "told"}),
        ("class Status(Enum):\n    BURIED = 1\n    a, b = 2, 3", {"Status", "BURIED", "a", "b"}),
        ("LINE_OPENED = x = 1\nMAX_AGE: int = 2", {"LINE_OPENED", "x", "MAX_AGE"}),
        ("def order():\n    scene = Scene.news", {"order"}),
        ("SCENES[0] = 1", set()),
    ],
)
def test_defined_names_are_found(source: str, names: set[str]) -> None:
    assert set(defined_names(ast.parse(source))) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("local function believed(person)", {"believed"}),
        ("  local news, hint = 1, 2", {"news", "hint"}),
        ("for _, attachment in ipairs(found) do", {"_", "attachment"}),
        ("for index = 1, 3 do", {"index"}),
        ("--[[ wait for news\nlocal scene ]]\n-- local look\nlook = local_news", set()),
    ],
)
def test_lua_names_are_found(source: str, names: set[str]) -> None:
    assert set(lua_names(source)) == names


@pytest.mark.parametrize("opening", ["Of", "Who", "What", "Whoever", "As many as"])
def test_forbidden_opening_is_found(opening: str) -> None:
    assert forbidden_opening(f"{opening} people wait.\nMore.") == f"{opening} people wait."


@pytest.mark.parametrize("text", ["Return who waits.", "Officials see it.", "Whatever it holds.", ""])
def test_plain_opening_is_allowed(text: str) -> None:
    assert forbidden_opening(text) is None


@pytest.mark.parametrize("word", ["somebody", "Nobody", "everybody's", "whoever"])
def test_forbidden_word_is_found(word: str) -> None:
    assert FORBIDDEN_WORDS.search(f"as {word} said")


@pytest.mark.parametrize("text", ["NOBODY_WAITS", "a body", "some bodies", "who ever"])
def test_plain_word_is_allowed(text: str) -> None:
    assert not FORBIDDEN_WORDS.search(text)


@dataclass(frozen=True, slots=True)
class Module:
    """The parts of a module that the rules are about. Its tree is too large to keep."""

    names: frozenset[str]
    imports: frozenset[str]
    forbidden_openings: tuple[str, ...]


@cache
def read_module(path: Path) -> Module:
    tree = ast.parse(path.read_text())
    openings = tuple(opening for text in docstrings(tree) if (opening := forbidden_opening(text)))
    return Module(frozenset(defined_names(tree)), frozenset(imported_modules(tree)), openings)


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_python_uses_no_replaced_name() -> None:
    found = {
        f"{where(path)}: {name}": REPLACED[name]
        for path in PYTHON_FILES
        for name in {*module_names(path), *read_module(path).names} & REPLACED.keys()
    }

    assert found == {}


def test_lua_scripts_use_no_replaced_name() -> None:
    scripts = sorted((ROOT / "storage" / "lua").rglob("*.lua"))
    found = {
        f"{where(path)}: {name}": REPLACED[name]
        for path in scripts
        for name in {path.stem, *lua_names(path.read_text())} & REPLACED.keys()
    }

    assert scripts
    assert found == {}


def test_no_module_shares_a_name_with_the_standard_library() -> None:
    assert [where(path) for path in PYTHON_FILES if path.stem in sys.stdlib_module_names] == []


def test_docstrings_open_with_a_verb_or_a_noun() -> None:
    found = [f"{where(path)}: {opening}" for path in PYTHON_FILES for opening in read_module(path).forbidden_openings]

    assert found == []


def test_texts_use_no_forbidden_word_for_a_person() -> None:
    found = [
        f"{where(path)}:{number}: {line.strip()}"
        for path in [*TOP_LEVEL, *TEXT_FILES]
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if FORBIDDEN_WORDS.search(line)
    ]

    assert found == []


def test_names_of_test_modules_are_unique() -> None:
    names = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))


def test_test_names_have_at_most_70_characters() -> None:
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in read_module(path).names
        if name.startswith("test_") and len(name) > 70
    }

    assert found == set()


def test_test_modules_do_not_import_each_other() -> None:
    found = [
        f"{where(path)}: {name}"
        for path in (ROOT / "tests").rglob("*.py")
        for name in read_module(path).imports
        if name.startswith(("tests.unit", "tests.integration", "tests.e2e"))
    ]

    assert found == []
