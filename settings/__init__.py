"""The settings of Onsale, read once from environment variables (`ONSALE_*`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from settings.oidc import OidcSettings
from settings.reader import SLOWEST_PUSH_MS, SettingsError, SettingsReader
from settings.session import SessionSettings

__all__ = ["SLOWEST_PUSH_MS", "OidcSettings", "SessionSettings", "Settings", "SettingsError"]


@dataclass(frozen=True)
class Settings:
    env: str = "development"
    """`production` turns off the development issuer and the embedded stores."""
    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path(".onsale")
    redis_url: str | None = None
    """If None, `python app.py` starts an embedded Valkey."""
    mongo_url: str | None = None
    """If None, `python app.py` starts an embedded mongod."""
    mongo_database: str = "onsale"
    public_url: str | None = None
    """The address of Onsale for browsers, for example `https://tickets.example.org`: an origin,
    the only source of redirects and of addresses in messages. None is allowed in development.
    """
    oidc: OidcSettings = field(default_factory=OidcSettings)
    pass_key_file: Path | None = None
    """Ed25519 private key (PEM) that signs queue passes, shared by all processes.

    If None, the key is created in the data directory.
    """
    push_tick_ms: int = 100
    """The shortest time between two refreshes of a snapshot. It is limited to one second, because
    no subscriber may fall 10 s behind.
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
    log_format: str = "text"
    """`text` for people, `json` for machines."""
    max_body_bytes: int = 262_144
    """The maximum size of a request body. Frontends send documents and variables that are far
    smaller.
    """
    demo: str = "yes"
    """With `yes`, `python app.py` fills an empty catalog with demo concerts, but never in
    production.
    """
    session: SessionSettings = field(default_factory=SessionSettings)

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def issuer(self) -> str:
        return self.oidc.issuer or f"http://localhost:{self.port}/realms/onsale"

    @property
    def has_own_issuer(self) -> bool:
        return self.oidc.issuer is None and not self.is_production

    @property
    def loads_demo(self) -> bool:
        return self.demo == "yes" and not self.is_production

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings. Raises SettingsError, which lists all problems.

        Production requires the URLs of the stores and of the issuer, and a pass key file.
        """
        reader = SettingsReader(environ)
        settings = cls(
            env=reader.choice("ENV", ("development", "production"), cls.env),
            host=reader.text("HOST", cls.host),
            port=reader.number("PORT", cls.port, highest=65_535),
            data_dir=Path(reader.text("DATA_DIR", str(cls.data_dir))),
            redis_url=reader.optional("REDIS_URL"),
            mongo_url=reader.optional("MONGO_URL"),
            mongo_database=reader.text("MONGO_DATABASE", cls.mongo_database),
            public_url=reader.origin("PUBLIC_URL"),
            oidc=OidcSettings.read(reader),
            pass_key_file=Path(key) if (key := reader.optional("PASS_KEY_FILE")) else None,
            push_tick_ms=reader.number("PUSH_TICK_MS", cls.push_tick_ms, highest=1_000),
            push_intervals=reader.push_intervals("PUSH_INTERVALS", cls.push_intervals),
            allowed_origins=reader.origins("ALLOWED_ORIGINS"),
            log_format=reader.choice("LOG_FORMAT", ("text", "json"), cls.log_format),
            max_body_bytes=reader.number("MAX_BODY_BYTES", cls.max_body_bytes),
            demo=reader.choice("DEMO", ("yes", "no"), cls.demo),
            session=SessionSettings.read(reader),
        )
        if settings.is_production:
            reader.require("REDIS_URL", "MONGO_URL", "PUBLIC_URL", "OIDC_ISSUER", "PASS_KEY_FILE", "SESSION_KEYS")
        reader.refuse_old_name("PUSH_BANDS", new="PUSH_INTERVALS")
        reader.finish()
        return settings
