"""The servers that are compared with Onsale: what each is, and how it is started.

A peer executes GraphQL. A limit answers from prepared bytes instead, so that its figures show how
fast a server could be; it is no alternative.
"""

from dataclasses import dataclass, field
from pathlib import Path

from bench.provenance import ROOT

SOURCES = Path(__file__).parent
BUILD = ROOT / "build" / "peers"
COMMON = SOURCES / "common"
MANY = 10_000
"""The most sockets that a server is measured with."""
PORT, PYTHON = "{port}", "{python}"


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    command: tuple[str, ...]
    """The command that starts it; PORT and PYTHON stand for the port and the interpreter."""
    about: str
    folder: str | None = None
    """Its folder in build/peers, from which it is started; None for a peer in Python."""
    holds: bool = True
    fans_out: bool = True
    is_limit: bool = False
    uses_redis: bool = True
    max_sockets: int = MANY
    """The most sockets to which a change takes less than several seconds."""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return ROOT if self.folder is None else BUILD / self.folder


def _uvicorn(app: str) -> tuple[str, ...]:
    return (
        PYTHON, "-m", "uvicorn", f"bench.peers.python_servers.{app}", "--host", "127.0.0.1", "--port", PORT,
        "--loop", "uvloop", "--http", "httptools", "--ws-per-message-deflate", "false",
        "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "60",
    )  # fmt: skip


_ONE_CORE = {"GOMAXPROCS": "1"}

PEERS = (
    Peer(
        "async-graphql",
        ("./target/release/peer-async-graphql",),
        "Rust: async-graphql on axum and tokio, redis-rs",
        folder="async-graphql",
    ),
    Peer(
        "gqlgen",
        ("./server",),
        "Go: gqlgen on net/http, rueidis",
        folder="gqlgen",
        environment=_ONE_CORE,
    ),
    Peer(
        "mercurius",
        ("node", "index.js"),
        "Node.js: Mercurius on Fastify with its JIT, ioredis with auto-pipelining",
        folder="mercurius",
        environment={"NODE_ENV": "production"},
    ),
    Peer(
        "strawberry",
        _uvicorn("strawberry_app:app"),
        "Python: Strawberry as documented, on Starlette and uvicorn, redis-py",
        max_sockets=5_000,
        fans_out=False,
    ),
    Peer(
        "strawberry-caches",
        _uvicorn("strawberry_app:app"),
        "the same with Strawberry's own ParserCache and ValidationCache",
        max_sockets=5_000,
        environment={"CACHES": "1"},
    ),
    Peer(
        "limit-http",
        _uvicorn("hold_limit:app"),
        "the limit of holds in Python: a bare ASGI application without GraphQL",
        fans_out=False,
        is_limit=True,
    ),
    Peer(
        "limit-frames",
        (PYTHON, "-m", "bench.peers.python_servers.frame_limit"),
        "the limit of fan-out in Python: prepared frames on the transports of uvloop",
        holds=False,
        is_limit=True,
    ),
    Peer(
        "wire",
        ("./loadgen", "wire", "-port", PORT),
        "the limit of the load generator: prepared bytes from Go, without Redis and tokens",
        folder="loadgen",
        is_limit=True,
        uses_redis=False,
        environment=_ONE_CORE,
        fans_out=False,
    ),
)
BY_NAME = {peer.name: peer for peer in PEERS}
