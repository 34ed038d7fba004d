"""Imports point one way, inside packages too, and every third party stays in its package: the tables say where."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BELOW_RESOLVERS = {"domain", "storage", "subscriptions", "auth", "payments", "tickets"}
MAY_IMPORT = {
    "domain": set[str](),
    "settings": set[str](),
    "storage": {"domain"},
    "subscriptions": {"domain", "storage"},
    "auth": {"domain", "settings"},
    "payments": {"domain", "settings"},
    "tickets": {"domain", "settings"},
    "resolvers": BELOW_RESOLVERS,
    "workers": BELOW_RESOLVERS,
    "schema": {"domain", "subscriptions", "resolvers", "auth"},
    "web": {"schema", "resolvers", "settings", *BELOW_RESOLVERS},
    "app": {"web", "workers", "schema", "resolvers", "settings", *BELOW_RESOLVERS},
    "bench": {"web", "workers", "schema", "resolvers", "settings", *BELOW_RESOLVERS},
}
# Programs read the settings and write logs; nothing else in their package may.
PROGRAMS = {"workers/__main__.py": ("settings.", "web.logs")}

PACKAGES_OF = {
    "strawberry": {"schema"},
    "graphql": {"schema"},
    "redis": {"storage", "subscriptions/feed.py"},
    "motor": {"storage"},
    "pymongo": {"storage"},
    "bson": {"storage"},
    "broadcaster": {"subscriptions/feed.py"},
    "starlette": {"web", "subscriptions", "auth", "app.py"},
    "uvicorn": {"app.py", "web/server.py", "subscriptions/sockets/ws_protocol.py"},
    "websockets": {"subscriptions/sockets/ws_protocol.py"},
    "uvloop": {"web/server.py"},
    "jwt": {"auth"},
    "authlib": {"auth"},
    "joserfc": {"auth"},
    "cryptography": {"auth"},
    "httpx2": {"auth"},
    "email_validator": {"domain/text/email_addresses.py"},
    "orjson": {"web", "schema", "storage", "subscriptions"},
    "stripe": {"payments"},
    "reportlab": {"tickets"},
    "segno": {"tickets"},
}

# A module below the first part imports nothing below the others, but for the exceptions.
SEPARATED = (
    ("subscriptions.sockets", ("subscriptions.",), ("subscriptions.sockets.", "subscriptions.interfaces")),
    ("subscriptions.publishing", ("subscriptions.",), ("subscriptions.publishing.", "subscriptions.interfaces")),
    ("storage.hot", ("storage.sync", "storage.mongo", "storage.connect"), ()),
    ("storage.mongo", ("storage.sync", "storage.hot", "storage.connect"), ()),
    ("storage.embedded", ("storage.",), ("storage.embedded",)),
    ("schema.execution", ("schema.",), ("schema.execution",)),
    ("schema", ("subscriptions.",), ("subscriptions.interfaces",)),
    ("resolvers", ("subscriptions.",), ("subscriptions.interfaces",)),
)
MOST_MODULES = 18

SOURCES = sorted(
    path
    for package in MAY_IMPORT
    for path in [*(ROOT / package).rglob("*.py"), ROOT / f"{package}.py"]
    if path.exists()
)
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "bench"]
FIRST_PARTY = {*MAY_IMPORT, "tests", "deploy"}


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _package(name: str) -> str:
    return name.partition(".")[0]


def broken_layers(place: str, source: str) -> set[str]:
    """What `place`, a path from the root, imports of ours and may not."""
    own = _package(place.partition("/")[0])
    names = {name for name in _imported(source) if not name.startswith(PROGRAMS.get(place, ()))}
    return {_package(name) for name in names} & FIRST_PARTY - MAY_IMPORT[own] - {own}


def broken_separations(place: str, source: str) -> set[str]:
    """Return what `place` imports from a part of its own package that its part must not know."""
    module = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = set[str]()
    for part, others, exceptions in SEPARATED:
        if module == part or module.startswith(f"{part}."):
            found |= {name for name in _imported(source) if name.startswith(others) and not name.startswith(exceptions)}
    return found


def strangers(place: str, source: str) -> set[str]:
    """Third parties that `place` imports and may not, those without a room included."""
    found = {_package(name) for name in _imported(source)} - FIRST_PARTY - sys.stdlib_module_names
    return {name for name in found if not {place, _package(place.partition("/")[0])} & PACKAGES_OF.get(name, set())}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    assert broken_layers(path.relative_to(ROOT).as_posix(), path.read_text()) == set()


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_third_parties_stay_in_their_rooms(path: Path) -> None:
    assert strangers(path.relative_to(ROOT).as_posix(), path.read_text()) == set()


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_parts_of_a_package_stay_separate(path: Path) -> None:
    assert broken_separations(path.relative_to(ROOT).as_posix(), path.read_text()) == set()


def test_no_folder_of_the_product_is_crowded() -> None:
    folders = {path.parent for path in PRODUCT if path.parent != ROOT}
    crowded = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in crowded.items() if count > MOST_MODULES} == {}


def test_every_folder_with_code_has_its_line_in_the_table() -> None:
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
        ("app.py", "import bench.sale", {"bench"}),
        ("schema/orders.py", "from domain.ids import OrderId", set()),
    ],
)
def test_the_layer_rule_sees_what_it_should(place: str, source: str, found: set[str]) -> None:
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
def test_the_room_rule_sees_what_it_should(place: str, source: str, found: set[str]) -> None:
    assert strangers(place, source) == found


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
    ],
)
def test_the_separation_rule_sees_what_it_should(place: str, source: str, found: set[str]) -> None:
    assert broken_separations(place, source) == found
