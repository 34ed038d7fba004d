"""The settings of Onsale, read once from environment variables (`ONSALE_*`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SLOWEST_PUSH_MS = 10_000
"""The longest allowed delay of an update to a person in a queue."""
_PUSH_INTERVALS = re.compile(r"([1-9][0-9]{0,8}:[0-9]{1,5} ){0,20}rest:[0-9]{1,5}", re.ASCII)

_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?",
    re.ASCII | re.IGNORECASE,
)


class SettingsError(ValueError):
    """Lists all settings that are missing or malformed."""


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
    oidc_issuer: str | None = None
    """If None in development, this process serves its own issuer at /realms/onsale."""
    oidc_audience: str = "onsale-api"
    oidc_client_id: str = "onsale-web"
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

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def issuer(self) -> str:
        return self.oidc_issuer or f"http://localhost:{self.port}/realms/onsale"

    @property
    def has_own_issuer(self) -> bool:
        return self.oidc_issuer is None and not self.is_production

    @property
    def loads_demo(self) -> bool:
        return self.demo == "yes" and not self.is_production

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings. Raises SettingsError, which lists all problems.

        Production requires the URLs of the stores and of the issuer, and a pass key file.
        """
        reader = _Reader(environ)
        settings = cls(
            env=reader.choice("ENV", ("development", "production"), cls.env),
            host=reader.text("HOST", cls.host),
            port=reader.number("PORT", cls.port, highest=65_535),
            data_dir=Path(reader.text("DATA_DIR", str(cls.data_dir))),
            redis_url=reader.optional("REDIS_URL"),
            mongo_url=reader.optional("MONGO_URL"),
            mongo_database=reader.text("MONGO_DATABASE", cls.mongo_database),
            oidc_issuer=reader.optional("OIDC_ISSUER"),
            oidc_audience=reader.text("OIDC_AUDIENCE", cls.oidc_audience),
            oidc_client_id=reader.text("OIDC_CLIENT_ID", cls.oidc_client_id),
            pass_key_file=Path(key) if (key := reader.optional("PASS_KEY_FILE")) else None,
            push_tick_ms=reader.number("PUSH_TICK_MS", cls.push_tick_ms, highest=1_000),
            push_intervals=reader.push_intervals("PUSH_INTERVALS", cls.push_intervals),
            allowed_origins=reader.origins("ALLOWED_ORIGINS"),
            log_format=reader.choice("LOG_FORMAT", ("text", "json"), cls.log_format),
            max_body_bytes=reader.number("MAX_BODY_BYTES", cls.max_body_bytes),
            demo=reader.choice("DEMO", ("yes", "no"), cls.demo),
        )
        if settings.is_production:
            reader.require("REDIS_URL", "MONGO_URL", "OIDC_ISSUER", "PASS_KEY_FILE")
        reader.refuse_old_name("PUSH_BANDS", new="PUSH_INTERVALS")
        reader.finish()
        return settings


class _Reader:
    """Reads settings from prefixed environment variables and collects their problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def optional(self, name: str) -> str | None:
        return self._environ.get(f"ONSALE_{name}") or None

    def text(self, name: str, default: str) -> str:
        return self.optional(name) or default

    def number(self, name: str, default: int, *, highest: int = 2**31) -> int:
        value = self.optional(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdecimal() or not 1 <= int(value[:20]) <= highest:
            self._problems.append(f"ONSALE_{name} is {value[:64]!r}; it must be a whole number from 1 to {highest}")
            return default
        return int(value)

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self._problems.append(f"ONSALE_{name} is {value!r}; it must be one of {', '.join(allowed)}")
        return value

    def origins(self, name: str) -> tuple[str, ...]:
        """Return the origins. An origin that no browser can send is reported, because it would
        otherwise be ignored silently.
        """
        origins = tuple(self.text(name, "").split())
        self._problems += [
            f"ONSALE_{name} contains {origin[:64]!r}; write each origin as scheme://host or scheme://host:port, "
            "without a path or a slash at the end, separated by spaces"
            for origin in origins
            if not _ORIGIN.fullmatch(origin)
        ]
        return origins

    def push_intervals(
        self, name: str, default: tuple[tuple[int | None, int], ...]
    ) -> tuple[tuple[int | None, int], ...]:
        value = self.optional(name)
        if value is None:
            return default
        try:
            return _parse_push_intervals(value)
        except ValueError:
            self._problems.append(
                f"ONSALE_{name} is {value[:64]!r}; it must look like '100:0 2000:1000 rest:5000': rising "
                f"positions and milliseconds, `rest` last, at most {SLOWEST_PUSH_MS} ms"
            )
            return default

    def refuse_old_name(self, name: str, *, new: str) -> None:
        """Report a setting under its old name, which would otherwise be ignored silently."""
        if self.optional(name):
            self._problems.append(f"ONSALE_{name} is now called ONSALE_{new}; set that one instead")

    def require(self, *names: str) -> None:
        self._problems += [
            f"ONSALE_{name} is missing; production requires it" for name in names if not self.optional(name)
        ]

    def finish(self) -> None:
        if self._problems:
            raise SettingsError("\n".join(self._problems))


def _parse_push_intervals(text: str) -> tuple[tuple[int | None, int], ...]:
    if not _PUSH_INTERVALS.fullmatch(text):
        raise ValueError(text)
    pairs = [interval.split(":") for interval in text.split(" ")]
    positions, times_ms = [int(up_to) for up_to, _ in pairs[:-1]], [int(ms) for _, ms in pairs]
    if positions != sorted(set(positions)) or times_ms != sorted(times_ms) or times_ms[-1] > SLOWEST_PUSH_MS:
        raise ValueError(text)
    return tuple(zip([*positions, None], times_ms, strict=True))
