"""Imports go in one direction, and third-party packages are imported only where allowed."""

import ast
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BELOW_RESOLVERS = {"domain", "storage", "subscriptions", "auth", "payments", "tickets", "mail", "images"}
MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "settings": set(),
    "telemetry": {"domain"},
    "storage": {"domain"},
    "subscriptions": {"domain", "storage"},
    "auth": {"domain", "settings"},
    "payments": {"domain", "settings", "storage"},
    "tickets": {"domain", "settings"},
    "mail": {"domain", "settings"},
    "images": {"domain"},
    "resolvers": BELOW_RESOLVERS,
    "workers": BELOW_RESOLVERS,
    "schema": {"domain", "subscriptions", "resolvers", "auth", "tickets"},
    "web": {"schema", "resolvers", "settings", *BELOW_RESOLVERS},
    "app": {"web", "workers", "schema", "resolvers", "settings", *BELOW_RESOLVERS},
    "bench": {"web", "workers", "schema", "resolvers", "settings", *BELOW_RESOLVERS},
    "proofs": {"web", "workers", "schema", "resolvers", "settings", "bench.clients", *BELOW_RESOLVERS},
}
# Programs may import these too; the other modules of their package may not.
PROGRAMS = {
    "workers/__main__.py": (
        "settings.",
        "web.logs",
        "web.open_files",
        "web.configuration.keys",
        "web.configuration.stores",
    ),
    "bench/hold_layers/__main__.py": ("app.create_app",),
}

THIRD_PARTY_USERS = {
    "strawberry": {"schema"},
    "graphql": {"schema"},
    "redis": {"storage", "subscriptions/feed.py", "settings/store_urls.py"},
    "hiredis": {"storage"},
    "motor": {"storage"},
    "pymongo": {"storage", "settings/store_urls.py"},
    "bson": {"storage"},
    "gridfs": {"storage"},
    "broadcaster": {"subscriptions/feed.py"},
    "starlette": {"web", "subscriptions", "auth", "app.py"},
    "uvicorn": {
        "app.py",
        "web/server.py",
        "web/fast_path/protocol.py",
        "subscriptions/sockets/ws_protocol.py",
        "payments/sandbox/__main__.py",
    },
    "websockets": {
        "subscriptions/sockets/ws_protocol.py",
        "subscriptions/sockets/wires/frame_protocol.py",
        "subscriptions/sockets/wires/frames.py",
    },
    "uvloop": {"web/server.py", "payments/sandbox/__main__.py"},
    "httptools": {"web/fast_path/request_heads.py", "payments/sandbox/webhooks/connection.py"},
    "jwt": {"auth"},
    "authlib": {"auth"},
    "joserfc": {"auth"},
    "cryptography": {"auth", "tickets"},
    "httpx2": {"auth"},
    "prometheus_client": {"telemetry", "web"},
    "email_validator": {"domain/text/email_addresses.py"},
    "orjson": {"web", "schema", "storage", "subscriptions", "payments"},
    "stripe": {"payments"},
    "aiohttp": {"payments"},
    "segno": {"tickets"},
    "typst": {"tickets"},
    "uharfbuzz": {"tickets"},
    "aiosmtplib": {"mail"},
    "babel": {"tickets", "mail"},
    "PIL": {"images"},
}

# For each part: the modules that it must not import, and the exceptions.
SEPARATED = (
    ("subscriptions.sockets", ("subscriptions.",), ("subscriptions.sockets.", "subscriptions.interfaces")),
    ("subscriptions.publishing", ("subscriptions.",), ("subscriptions.publishing.", "subscriptions.interfaces")),
    ("storage.hot", ("storage.sync", "storage.mongo", "storage.connect"), ()),
    ("storage.mongo", ("storage.sync", "storage.hot", "storage.connect"), ()),
    ("storage.embedded", ("storage.",), ("storage.embedded",)),
    ("schema.execution", ("schema.",), ("schema.execution", "schema.ids", "schema.scalars", "schema.plans.")),
    # Compiled plans know neither a type of the schema nor a layer below it.
    ("schema.plans", tuple(f"{package}." for package in MAY_IMPORT), ("schema.plans.",)),
    ("schema.plans", ("strawberry",), ()),
    ("schema", ("subscriptions.",), ("subscriptions.interfaces",)),
    ("resolvers", ("subscriptions.",), ("subscriptions.interfaces",)),
    ("bench.clients", ("bench.",), ("bench.clients.",)),
    ("proofs.sale", ("proofs.",), ("proofs.sale.", "proofs.wait_until.")),
    ("proofs.sale.records", ("proofs.",), ("proofs.sale.records.",)),
    ("proofs.waiting_room", ("proofs.",), ("proofs.waiting_room.", "proofs.wait_until.")),
    ("proofs.store_faults", ("proofs.",), ("proofs.store_faults.", "proofs.waiting_room.", "proofs.wait_until.")),
    ("proofs.processes", ("proofs.",), ("proofs.processes.", "proofs.wait_until.")),
    ("proofs.simulation", ("proofs.",), ("proofs.simulation.",)),
)
MAX_MODULES = 18

SOURCES = sorted(
    path
    for package in MAY_IMPORT
    for path in [*(ROOT / package).rglob("*.py"), ROOT / f"{package}.py"]
    if path.exists()
)
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] not in ("bench", "proofs")]
FIRST_PARTY = {*MAY_IMPORT, "tests", "deploy"}


@cache
def _imported(source: str) -> frozenset[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def _package(name: str) -> str:
    return name.partition(".")[0]


def broken_layers(place: str, source: str) -> set[str]:
    """Return our packages that `place`, a path from the root, imports against the rules."""
    own = _package(place.partition("/")[0])
    allowed = tuple(f"{part}." for part in {own, "telemetry", *MAY_IMPORT[own]})
    names = {name for name in _imported(source) if not name.startswith(PROGRAMS.get(place, ()))}
    return {_package(name) for name in names if not f"{name}.".startswith(allowed)} & FIRST_PARTY


def broken_separations(place: str, source: str) -> set[str]:
    """Return the imports in `place` that `SEPARATED` forbids."""
    module = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = set[str]()
    for part, others, exceptions in SEPARATED:
        if module == part or module.startswith(f"{part}."):
            found |= {name for name in _imported(source) if name.startswith(others) and not name.startswith(exceptions)}
    return found


def misplaced_packages(place: str, source: str) -> set[str]:
    """Return the third-party packages that `place` imports against the rules.

    A package that is missing from the table must not be imported anywhere.
    """
    found = {_package(name) for name in _imported(source)} - FIRST_PARTY - sys.stdlib_module_names
    return {
        name for name in found if not {place, _package(place.partition("/")[0])} & THIRD_PARTY_USERS.get(name, set())
    }


def broken_rules(paths: Iterable[Path], rule: Callable[[str, str], set[str]]) -> dict[str, set[str]]:
    """Return what the rule finds in each file that breaks it."""
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths}
    return {place: broken for place, source in sources.items() if (broken := rule(place, source))}


def test_imports_go_in_only_one_direction() -> None:
    assert broken_rules(SOURCES, broken_layers) == {}


def test_third_party_packages_are_imported_only_where_allowed() -> None:
    assert broken_rules(PRODUCT, misplaced_packages) == {}


def test_parts_of_a_package_stay_separate() -> None:
    assert broken_rules(SOURCES, broken_separations) == {}


def test_no_folder_has_too_many_modules() -> None:
    folders = {path.parent for path in SOURCES if path.parent != ROOT}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MAX_MODULES} == {}


def test_each_package_is_in_the_table() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
    assert folders <= FIRST_PARTY


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("storage/mongo/orders.py", "import schema.ids", {"schema"}),
        ("storage/mongo/orders.py", "from web import logs", {"web"}),
        ("domain/ids.py", "def later():\n    from storage import keys", {"storage"}),
        ("workers/expiry.py", "from web import logs", {"web"}),
        ("workers/__main__.py", "from web import logs", set()),
        ("workers/__main__.py", "from web import graphql, logs", {"web"}),
        ("workers/__main__.py", "from web.graphql import GraphQLEndpoint", {"web"}),
        ("app.py", "import bench.sockets", {"bench"}),
        ("bench/watch.py", "from proofs.sale import report", {"proofs"}),
        ("bench/watch.py", "from tests.support import shop", {"tests"}),
        ("proofs/sale/sale.py", "from bench.clients import catalog", set()),
        ("proofs/sale/sale.py", "from bench.clients.catalog import load", set()),
        ("proofs/sale/sale.py", "from bench.watch import LiveSale", {"bench"}),
        ("proofs/sale/sale.py", "from bench import metrics", {"bench"}),
        ("proofs/sale/sale.py", "import tests.support.sale", {"tests"}),
        ("schema/orders.py", "from domain.ids import OrderId", set()),
    ],
)
def test_layer_rule_finds_forbidden_imports(place: str, source: str, found: set[str]) -> None:
    assert broken_layers(place, source) == found


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("resolvers/orders.py", "import strawberry", {"strawberry"}),
        ("web/graphql.py", "from redis.asyncio import Redis", {"redis"}),
        ("domain/ids.py", "import numpy", {"numpy"}),
        ("subscriptions/feed.py", "import redis", set()),
        ("subscriptions/hub.py", "import redis", {"redis"}),
        ("app.py", "import uvicorn, os", set()),
    ],
)
def test_third_party_rule_finds_misplaced_imports(place: str, source: str, found: set[str]) -> None:
    assert misplaced_packages(place, source) == found


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("subscriptions/sockets/sse.py", "from subscriptions.hub import Hub", {"subscriptions.hub.Hub"}),
        ("subscriptions/publishing/x.py", "from subscriptions.sockets import limits", {"subscriptions.sockets.limits"}),
        ("subscriptions/publishing/x.py", "from subscriptions.interfaces import Source", set()),
        ("storage/hot/holds.py", "from storage.sync.recovery import Recovery", {"storage.sync.recovery.Recovery"}),
        ("storage/mongo/orders.py", "from storage.hot import replies", {"storage.hot.replies"}),
        ("storage/embedded/valkey.py", "from storage import keys", {"storage.keys"}),
        ("schema/execution/operation.py", "from schema.orders import Order", {"schema.orders.Order"}),
        ("resolvers/rooms.py", "from subscriptions.feed import Feed", {"subscriptions.feed.Feed"}),
        ("schema/orders.py", "from schema.execution.operation import Operation", set()),
        ("schema/plans/x.py", "from schema.execution import operation", {"schema.execution.operation"}),
        ("schema/plans/x.py", "from resolvers.context import Context", {"resolvers.context.Context"}),
        ("schema/plans/x.py", "import strawberry", {"strawberry"}),
        ("schema/plans/x.py", "from schema.plans.source import Source\nimport graphql, orjson, enum", set()),
    ],
)
def test_separation_rule_finds_forbidden_imports(place: str, source: str, found: set[str]) -> None:
    assert broken_separations(place, source) == found
