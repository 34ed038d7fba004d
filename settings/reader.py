"""Reads settings from environment variables (`ONSALE_*`) and collects all problems."""

import base64
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

SLOWEST_PUSH_MS = 10_000
"""The longest delay allowed for an update to a person in a queue."""
MIN_SECRET_CHARACTERS = 24
"""The minimum length of a secret in production. Keycloak's secrets have 32 characters."""
MIN_DIFFERENT_CHARACTERS = 8
# In an exported realm, Keycloak writes asterisks instead of a secret.
_WELL_KNOWN = re.compile(r"secret|password|change|please|example|default|client|server|test|demo|onsale|keycloak|[*_-]")
_PUSH_INTERVALS = re.compile(r"([1-9][0-9]{0,8}:[0-9]{1,5} ){0,20}rest:[0-9]{1,5}", re.ASCII)

_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,3})", re.ASCII)
_LONGEST_RATE_S = 3_600

_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?",
    re.ASCII | re.IGNORECASE,
)


class SettingsError(ValueError):
    """Lists all settings that are missing or malformed."""


class SettingsReader:
    """Reads settings from prefixed environment variables and collects their problems."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def optional(self, name: str) -> str | None:
        return self._environ.get(f"ONSALE_{name}") or None

    def standard(self, name: str) -> str | None:
        """Return a variable of a standard, whose name has no prefix of ours."""
        return self._environ.get(name) or None

    def text(self, name: str, default: str) -> str:
        return self.optional(name) or default

    def number(self, name: str, default: int, *, lowest: int = 1, highest: int = 2**31) -> int:
        value = self.optional(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdecimal() or not lowest <= int(value[:20]) <= highest:
            self.report(f"ONSALE_{name} is {value[:64]!r}; it must be a whole number from {lowest} to {highest}")
            return default
        return int(value)

    def rate(self, name: str, default: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return a count and a number of seconds, or None for `off`."""
        value = self.optional(name)
        if value is None or value == "off":
            return default if value is None else None
        found = _RATE.fullmatch(value)
        if found is None or int(found[2]) > _LONGEST_RATE_S:
            self._problems.append(
                f"ONSALE_{name} is {value[:64]!r}; write it as count/seconds, such as 20/60, with at most"
                f" {_LONGEST_RATE_S} seconds, or as off"
            )
            return default
        return int(found[1]), int(found[2])

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self._problems.append(f"ONSALE_{name} is {value!r}; it must be one of {', '.join(allowed)}")
        return value

    def yes_or_no(self, name: str) -> bool | None:
        """Return the answer, or None if the setting is missing."""
        return None if self.optional(name) is None else self.choice(name, ("yes", "no"), "no") == "yes"

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

    def origin(self, name: str) -> str | None:
        """Return one origin, without the slash that people copy from an address bar."""
        value = self.optional(name)
        if value is None:
            return None
        origin = value.removesuffix("/").lower()
        if not origin.startswith(("http://", "https://")) or not _ORIGIN.fullmatch(origin):
            self._problems.append(
                f"ONSALE_{name} is {value[:64]!r}; write it as https://host or https://host:port, without a path"
            )
        return origin

    def networks(self, name: str, *, also: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return space-separated addresses and networks, and any words that `also` allows."""
        networks = tuple(self.text(name, "").split())
        choices = f", or {' or '.join(also)}" if also else ""
        self._problems += [
            f"ONSALE_{name} contains {network[:64]!r}; write addresses or networks such as 10.0.0.0/8{choices}, "
            "separated by spaces"
            for network in networks
            if network not in also and not _is_network(network)
        ]
        return networks

    def base64_keys(self, name: str, *, length: int) -> tuple[str, ...]:
        """Return secret keys in base64. A reported problem never quotes the key."""
        keys = tuple(self.text(name, "").split())
        wrong = [
            number
            for number, key in enumerate(keys, 1)
            if _decoded_length(key) != length or len(set(key)) < MIN_DIFFERENT_CHARACTERS
        ]
        self._problems += [
            f"ONSALE_{name}: key {number} is not {length} random bytes in base64; "
            f"create one with `openssl rand -base64 {length}`"
            for number in wrong
        ]
        return keys

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

    def require_https(
        self, name: str, url: str | None, *, why: str = "because cookies are sent over https only"
    ) -> None:
        if url is not None and not url.startswith("https://"):
            self._problems.append(f"ONSALE_{name} is {url[:64]!r}; production requires https, {why}")

    def refuse_old_name(self, name: str, *, new: str) -> None:
        """Report a setting under its old name, which would otherwise be ignored silently."""
        if self.optional(name):
            self._problems.append(f"ONSALE_{name} is now called ONSALE_{new}; set that one instead")

    def words(self, name: str, default: tuple[str, ...], *, allowed: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return space-separated words, and report those that are not allowed."""
        words = tuple((self.optional(name) or "").split()) or default
        for word in words:
            if allowed is not None and word not in allowed:
                self.report(
                    f"ONSALE_{name} contains {word[:64]!r}; write one or more of {' '.join(allowed)}, "
                    "separated by spaces"
                )
        return words

    def folders(self, name: str) -> tuple[Path, ...]:
        """Return space-separated folders, and report those that do not exist."""
        folders = tuple(Path(word) for word in self.words(name, ()))
        for folder in folders:
            if not folder.is_dir():
                self.report(f"ONSALE_{name} contains {str(folder)[:200]!r}, which is not a folder on this machine")
        return folders

    def secret(self, name: str) -> str | None:
        """Return a secret. In production, report one that can be guessed, without quoting it."""
        value = self.optional(name)
        if value is not None and self.optional("ENV") == "production" and (why := _weakness(value)):
            self.report(f"ONSALE_{name} {why}; set a random secret, for example from `openssl rand -hex 32`")
        return value

    def report(self, problem: str) -> None:
        self._problems.append(problem)

    def require(self, *names: str) -> None:
        self._problems += [
            f"ONSALE_{name} is missing; production requires it" for name in names if not self.optional(name)
        ]

    def finish(self) -> None:
        if self._problems:
            raise SettingsError("\n".join(self._problems))


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _weakness(secret: str) -> str | None:
    """Return why the secret can be guessed, or None."""
    if len(secret) < MIN_SECRET_CHARACTERS:
        return f"has fewer than {MIN_SECRET_CHARACTERS} characters"
    rest = _WELL_KNOWN.sub("", secret.lower())
    if len(rest) < MIN_SECRET_CHARACTERS:
        return "consists mainly of words that appear in examples"
    if len(set(rest)) < MIN_DIFFERENT_CHARACTERS:
        return f"has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"
    return None


def _decoded_length(key: str) -> int | None:
    try:
        return len(base64.b64decode(key, validate=True))
    except ValueError:
        return None


def _parse_push_intervals(text: str) -> tuple[tuple[int | None, int], ...]:
    if not _PUSH_INTERVALS.fullmatch(text):
        raise ValueError(text)
    pairs = [interval.split(":") for interval in text.split(" ")]
    positions, times_ms = [int(up_to) for up_to, _ in pairs[:-1]], [int(ms) for _, ms in pairs]
    if positions != sorted(set(positions)) or times_ms != sorted(times_ms) or times_ms[-1] > SLOWEST_PUSH_MS:
        raise ValueError(text)
    return tuple(zip([*positions, None], times_ms, strict=True))
