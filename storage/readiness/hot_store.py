"""Checks whether the hot store can be used: one server that accepts writes, keeps all keys, and is
not used by another deployment.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from storage.keys import READINESS_CHANNEL, READINESS_KEYS, READINESS_LASTS_MS
from storage.layout import LAYOUT
from storage.readiness.addresses import shown_address
from storage.scripts import CLAIM_STORE, ScriptReplyError

OLDEST_VERSION = 7
_SETTING = "ONSALE_REDIS_URL"
_SENTINEL = (
    f"is a Sentinel, which Onsale does not support; set {_SETTING} to an address that always leads to the primary,"
    " such as a TCP proxy or a DNS name"
)
_CLUSTER = f"is a node of a cluster, which Onsale does not support; set {_SETTING} to one server that has all the keys"
_NEWER = "has data of a newer version of Onsale; upgrade this process"
_CODES = (
    # redis-py removes the code from the messages of these errors.
    (NoPermissionError, "NOPERM"),
    (AuthenticationError, "WRONGPASS"),
    (ReadOnlyError, "READONLY"),
    (OutOfMemoryError, "OOM"),
    (MovedError, "MOVED"),
    (AskError, "ASK"),
    (ClusterDownError, "CLUSTERDOWN"),
    (MasterDownError, "MASTERDOWN"),
    (BusyLoadingError, "LOADING"),
)
_WITHOUT_CODE = tuple(kind for kind, _ in _CODES)
_PROBLEMS = {
    "OOM": "is full; raise its maxmemory, or remove keys that do not belong to Onsale",
    "READONLY": f"is a replica and accepts no writes; set {_SETTING} to the address of the primary",
    "MASTERDOWN": f"is a replica that has lost its primary; set {_SETTING} to the address of the primary",
    "NOREPLICAS": "has fewer connected replicas than its min-replicas-to-write; reconnect the replicas",
    "MISCONF": "accepts no writes because it cannot save its data; free space on its disk and look at its log",
    "LOADING": "is loading its data; wait until it has finished",
    "BUSY": "is running a long script of another client; find it with SLOWLOG GET, or end it with SCRIPT KILL",
    "WRONGPASS": f"refuses the user name or the password; correct them in {_SETTING}",
    "NOAUTH": f"requires a password; add it to {_SETTING}",
    "NOPERM": "refuses a command of its user; grant the rights that docs/operations.md lists",
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "UNKNOWN_COMMAND": f"does not know a command that Onsale needs; set {_SETTING} to a Redis 7 or a Valkey",
    "NO_DATABASE": f"does not have this database; use a lower number at the end of {_SETTING}",
}


class CommandRunner(Protocol):
    async def run_command(self, *command: str | bytes) -> Any:
        """Run one command and return its reply. Raises RedisError or OSError."""


class OtherStore(Protocol):
    """A Redis that another process uses, with the name of that process's host."""

    @property
    def address(self) -> str: ...

    @property
    def host(self) -> str: ...


class HotStoreCheck:
    def __init__(self, client: CommandRunner, url: str, *, declares_noeviction: bool) -> None:
        """With `declares_noeviction`, a store that hides its eviction policy is trusted."""
        self._client = client
        self.address = shown_address(url)
        self._name = f"Redis at {self.address}"
        self._declares_noeviction = declares_noeviction

    async def problem(self, *, within_s: float) -> str | None:
        """Return a sentence about what keeps the store from being used, or None."""
        return await self._run(self._check, within_s)

    async def claim(self, deployment: str, *, within_s: float) -> str | None:
        """Record that this deployment uses the store, or return a sentence if another one uses it.

        Calls are not refused: a check of the wrong deployment could then stop the right one.
        """

        async def claim() -> str | None:
            word = await self._write(deployment)
            if word != "OTHER":
                return _NEWER if word == "NEWER" else None
            return (
                f"is used by another deployment, with another MongoDB database; set {_SETTING} to a Redis, or to"
                f" another database number of it, that only this deployment uses. After a move to another MongoDB"
                f" database, this ends {READINESS_LASTS_MS // 1000} s after the last earlier process has stopped"
            )

        return await self._run(claim, within_s)

    def describe_superseded(self, count: int, others: Sequence[OtherStore]) -> str:
        """Return the sentence for a store from which other stores have taken over concerts."""
        shown = "".join(f" at {other.address} (used on host {other.host})" for other in others)
        return (
            f"{self._name} is an old primary: another Redis{shown} has taken over {count} concert{'s' * (count != 1)},"
            f" so their calls are refused here; set {_SETTING} to the new primary, or make this Redis its replica. If"
            f" this Redis is the right one, correct {_SETTING} on the other host"
        )

    async def _run(self, check: Callable[[], Awaitable[str | None]], within_s: float) -> str | None:
        try:
            async with asyncio.timeout(within_s):
                problem = await check()
        except TimeoutError:
            problem = f"has not answered for {within_s:.0f} s; check {_SETTING} and the server"
        except (RedisError, OSError) as error:
            problem = _explain(error)
        return None if problem is None else f"{self._name} {problem}"

    async def _check(self) -> str | None:
        info = _parse(await self._client.run_command("INFO"))
        if "sentinel_masters" in info:
            return _SENTINEL
        if problem := await self._cluster_problem(info):
            return problem
        version = info.get("redis_version", "")
        if version.partition(".")[0].isdecimal() and int(version.partition(".")[0]) < OLDEST_VERSION:
            return f"has version {version}; Onsale needs Redis {OLDEST_VERSION} or a Valkey"
        return _NEWER if await self._write("") == "NEWER" else await self._policy_problem(info)

    async def _cluster_problem(self, info: Mapping[str, str]) -> str | None:
        """A cluster with all slots on one server is like a single server."""
        if info.get("cluster_enabled", "0") == "0":
            return None
        cluster = _parse(await self._client.run_command("CLUSTER", "INFO"))
        return None if (cluster.get("cluster_state"), cluster.get("cluster_size")) == ("ok", "1") else _CLUSTER

    async def _write(self, deployment: str) -> str:
        """Make the tiny write. Return WRITTEN, CLAIMED, OTHER or NEWER."""
        keys, args = READINESS_KEYS, (deployment, str(READINESS_LASTS_MS), READINESS_CHANNEL, str(LAYOUT))
        reply = await self._client.run_command("EVAL", CLAIM_STORE.source, str(len(keys)), *keys, *args)
        word: str = reply[0].decode()
        match word:
            case "WRITTEN" | "CLAIMED" | "OTHER" | "NEWER":
                return word
            case _:
                raise ScriptReplyError(CLAIM_STORE.name, word)

    async def _policy_problem(self, info: Mapping[str, str]) -> str | None:
        policy = info.get("maxmemory_policy")
        if policy is None:
            try:
                pair = await self._client.run_command("CONFIG", "GET", "maxmemory-policy")
                policy = pair[1].decode() if pair else None
            except ResponseError:
                # Managed services refuse CONFIG.
                policy = None
        if policy is None:
            if self._declares_noeviction:
                return None
            return (
                "does not show its maxmemory-policy; allow CONFIG GET, or make sure that the policy is noeviction and"
                " set ONSALE_REDIS_EVICTION=noeviction"
            )
        if policy != "noeviction":
            return f"may evict keys: its maxmemory-policy is {policy}; set it to noeviction"
        return None


def _explain(error: Exception) -> str:
    """Return the problem that an error stands for, with the text of the error."""
    text = re.sub(r"\s*script: [0-9a-f]{40}.*|, with args beginning with.*", "", str(error)).strip().rstrip(".")
    if isinstance(error, TimeoutError) or not isinstance(error, ResponseError | AuthenticationError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return f"has a TLS certificate that is refused: {text}; renew it, or correct ssl_ca_certs in {_SETTING}"
        return f"does not answer: {text or type(error).__name__}; check {_SETTING} and the server"
    code = _code(error)
    problem = _PROBLEMS.get(code)
    shown = f"{code} {text}" if isinstance(error, _WITHOUT_CODE) else text
    return f"answers with an error: {shown}" if problem is None else f"{problem} ({shown})"


def _code(error: Exception) -> str:
    text = str(error)
    if "unknown command" in text:
        return "UNKNOWN_COMMAND"
    if text.startswith("The user executing the script can't"):
        return "NOPERM"
    if "DB index is out of range" in text or "invalid DB index" in text:
        return "NO_DATABASE"
    known = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    return known or text.partition(" ")[0]


def _parse(info: bytes) -> dict[str, str]:
    # Paths in it may have any encoding.
    text = info.decode(errors="replace")
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
