"""The settings of Onsale, read once from environment variables (`ONSALE_*`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from settings.credentials import open_reader
from settings.limits import LimitSettings
from settings.mail import MailSettings
from settings.oidc import OidcSettings
from settings.payment import PaymentSettings
from settings.processes import read_processes
from settings.reader import SLOWEST_PUSH_MS, SettingsError
from settings.session import SessionSettings
from settings.store_urls import read_database_name, read_mongo_url, read_redis_url
from settings.tickets import TicketSettings
from settings.traces import read_traces_url

__all__ = [
    "SLOWEST_PUSH_MS",
    "LimitSettings",
    "MailSettings",
    "OidcSettings",
    "PaymentSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "TicketSettings",
]

PRODUCTION_DRAIN_S = 5
"""Longer than the interval at which balancers usually ask for readiness."""


@dataclass(frozen=True)
class Settings:
    env: str = "development"
    """`production` turns off the development issuer and the embedded stores."""
    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(".onsale")
    processes: int = 1
    """How many server processes this machine runs, which share its port. `python app.py` starts
    them; with 1, it runs everything in one process.
    """
    redis_url: str | None = None
    """If None, `python app.py` starts an embedded Valkey."""
    redis_eviction: str = "read"
    """`noeviction` declares that Redis never evicts keys, for a Redis that does not show its
    `maxmemory-policy`; with `read`, the policy must be readable.
    """
    mongo_url: str | None = None
    """If None, `python app.py` starts an embedded mongod."""
    mongo_database: str = "onsale"
    public_url: str | None = None
    """The origin at which browsers reach Onsale, for example `https://tickets.example.org`.
    Redirects and addresses in messages are built from it alone. It may be None in development.
    """
    oidc: OidcSettings = field(default_factory=OidcSettings)
    pass_key_file: Path | None = None
    """Ed25519 private key (PEM) that signs queue passes, shared by all processes.

    If None, the key is created in the data directory.
    """
    push_tick_ms: int = 100
    """The shortest time between two refreshes of a snapshot; 0 refreshes after each change. It may
    be at most one second, because no subscriber may fall 10 s behind.
    """
    push_loop_percent: int = 100
    """The share of a concert's time that its refreshes and deliveries may take. Below 100, there
    are fewer pushes and more holds; pushes let other work run every 2 ms in any case.
    """
    push_intervals: tuple[tuple[int | None, int], ...] = ((200, 0), (5_000, 2_000), (None, 10_000))
    """Pairs of a queue position and the longest delay, in milliseconds, of updates to people up to
    that position.

    The position None means everyone else, and the delay 0 means an update with every refresh. The
    environment variable is written as `200:0 5000:2000 rest:10000`.
    """
    allowed_origins: tuple[str, ...] = ()
    """Other origins whose pages may open sockets, for example `https://shop.example.org`.

    In development, all pages from this machine may open sockets.
    """
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of the proxies in front of Onsale, for example `10.0.0.0/8`, or `unix`.

    Only these may report a client's address, scheme and host.
    """
    metrics_from: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Addresses or networks that may read `/metrics`. Others get 404."""
    metrics_port: int | None = None
    """The port on `host` at which the application serves `/metrics`. If None, `/metrics` is served
    at the main port in development, and not at all in production.
    """
    workers_metrics_port: int | None = None
    """The port on `host` at which a process of `python -m workers` serves its counters. If None, it
    serves none. `python app.py` serves the counters of its workers at `/metrics`.
    """
    drain_s: int | None = None
    """How many seconds `python app.py` is not ready before it stops, so that a proxy or a balancer
    sends people elsewhere. If None, 5 in production and 0 in development.
    """
    log_format: str = "text"
    """`text` for people, `json` for machines."""
    traces: str | None = None
    """The URL to which OpenTelemetry posts spans; None if nothing is traced."""
    max_body_bytes: int = 262_144
    """The maximum size of a request body. Frontends send documents and variables that are far
    smaller.
    """
    demo: str = "yes"
    """With `yes`, `python app.py` fills an empty catalog with demo concerts, but never in
    production.
    """
    persisted_documents_bytes: int = 32 * 1024 * 1024
    """The memory, in bytes, that each process may use for documents that clients register by hash;
    0 turns registration off.
    """
    trusted_documents: Path | None = None
    """A JSON file that maps SHA-256 hashes to documents. If set, clients may run only these."""
    introspection: bool | None = None
    """Whether clients may query the schema, and whether errors suggest names from it. If None,
    both are allowed in development, except with trusted documents.
    """
    graphiql: bool | None = None
    """Whether browsers get GraphiQL at /graphql. If None, the rule for `introspection` applies."""
    compiled_plans: bool = True
    """Whether documents that are used again are compiled. If not, graphql-core executes all."""
    buyers: str = "customer"
    """The people who may queue and buy. `customer` means those with that role; `signed-in` means
    all those with a valid token.
    """
    batched_holds: bool = True
    """Whether holds that are requested at the same time for one concert share a run of their script
    in Redis.
    """
    http_fast_path: bool = True
    """Whether requests with a bearer token for `/graphql` are answered without ASGI."""
    font_dirs: tuple[Path, ...] = ()
    """Folders with fonts for documents, in addition to the operating system's."""
    limit: LimitSettings = field(default_factory=LimitSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    payment: PaymentSettings = field(default_factory=PaymentSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    ticket: TicketSettings = field(default_factory=TicketSettings)

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def shows_metrics_on_main_port(self) -> bool:
        # With several processes, each request would be answered by another one.
        return self.metrics_port is None and not self.is_production and self.processes == 1

    @property
    def drains_for_s(self) -> int:
        default = PRODUCTION_DRAIN_S if self.is_production else 0
        return default if self.drain_s is None else self.drain_s

    @property
    def issuer(self) -> str:
        return self.oidc.issuer or f"http://localhost:{self.port}/realms/onsale"

    @property
    def has_own_issuer(self) -> bool:
        return self.oidc.issuer is None and not self.is_production

    @property
    def process_limit(self) -> LimitSettings:
        """The limits of one server process."""
        return self.limit.share_of(self.processes)

    @property
    def signed_in_may_buy(self) -> bool:
        return self.buyers == "signed-in"

    @property
    def declares_noeviction(self) -> bool:
        return self.redis_eviction == "noeviction"

    @property
    def loads_demo(self) -> bool:
        return self.demo == "yes" and not self.is_production

    @property
    def allows_introspection(self) -> bool:
        return self._is_open if self.introspection is None else self.introspection

    @property
    def allows_graphiql(self) -> bool:
        return self._is_open if self.graphiql is None else self.graphiql

    @property
    def _is_open(self) -> bool:
        return not self.is_production and self.trusted_documents is None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings. Raises SettingsError, which lists all problems.

        Production requires some settings that development does not. Settings may also be in
        credential files.
        """
        reader = open_reader(environ)
        settings = cls(
            env=reader.choice("ENV", ("development", "production"), cls.env),
            host=reader.text("HOST", cls.host),
            port=reader.number("PORT", cls.port, highest=65_535),
            data_dir=Path(reader.text("DATA_DIR", str(cls.data_dir))),
            processes=read_processes(reader, "PROCESSES", cls.processes),
            redis_url=read_redis_url(reader, "REDIS_URL"),
            redis_eviction=reader.choice("REDIS_EVICTION", ("read", "noeviction"), cls.redis_eviction),
            mongo_url=read_mongo_url(reader, "MONGO_URL"),
            mongo_database=read_database_name(reader, "MONGO_DATABASE", cls.mongo_database),
            public_url=reader.origin("PUBLIC_URL"),
            oidc=OidcSettings.read(reader),
            pass_key_file=Path(key) if (key := reader.optional("PASS_KEY_FILE")) else None,
            push_tick_ms=reader.number("PUSH_TICK_MS", cls.push_tick_ms, lowest=0, highest=1_000),
            push_loop_percent=reader.number("PUSH_LOOP_PERCENT", cls.push_loop_percent, lowest=10, highest=100),
            push_intervals=reader.push_intervals("PUSH_INTERVALS", cls.push_intervals),
            allowed_origins=reader.origins("ALLOWED_ORIGINS"),
            trusted_proxies=reader.networks("TRUSTED_PROXIES", also=("unix",)),
            metrics_from=reader.networks("METRICS_FROM") or cls.metrics_from,
            metrics_port=reader.number("METRICS_PORT", 0, lowest=0, highest=65_535) or None,
            workers_metrics_port=reader.number("WORKERS_METRICS_PORT", 0, lowest=0, highest=65_535) or None,
            drain_s=reader.number("DRAIN_S", 0, lowest=0, highest=300) if reader.optional("DRAIN_S") else None,
            log_format=reader.choice("LOG_FORMAT", ("text", "json"), cls.log_format),
            traces=read_traces_url(reader),
            max_body_bytes=reader.number("MAX_BODY_BYTES", cls.max_body_bytes),
            demo=reader.choice("DEMO", ("yes", "no"), cls.demo),
            persisted_documents_bytes=reader.number(
                "PERSISTED_DOCUMENTS_BYTES", cls.persisted_documents_bytes, lowest=0
            ),
            trusted_documents=Path(file) if (file := reader.optional("TRUSTED_DOCUMENTS")) else None,
            introspection=reader.yes_or_no("INTROSPECTION"),
            compiled_plans=reader.yes_or_no("COMPILED_PLANS") is not False,
            graphiql=reader.yes_or_no("GRAPHIQL"),
            buyers=reader.choice("BUYERS", ("customer", "signed-in"), cls.buyers),
            batched_holds=reader.yes_or_no("BATCHED_HOLDS") is not False,
            http_fast_path=reader.yes_or_no("HTTP_FAST_PATH") is not False,
            font_dirs=reader.folders("FONT_DIRS"),
            limit=LimitSettings.read(reader),
            session=SessionSettings.read(reader),
            payment=PaymentSettings.read(reader),
            mail=MailSettings.read(reader),
            ticket=TicketSettings.read(reader),
        )
        if settings.is_production:
            reader.require("REDIS_URL", "MONGO_URL", "PUBLIC_URL", "OIDC_ISSUER", "PASS_KEY_FILE", "SESSION_KEYS")
            reader.require_https("PUBLIC_URL", settings.public_url)
        settings.limit.report_small(reader, processes=settings.processes)
        reader.refuse_old_name("PUSH_BANDS", new="PUSH_INTERVALS")
        reader.finish()
        return settings
