"""A Redis that hides its eviction policy is ready only if a setting declares the policy."""

from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from storage.readiness.hot_store import HotStoreCheck

CONFIG_IS_REFUSED = NoPermissionError("User default has no permissions to run the 'config|get' command")


class ManagedRedis:
    """Answers the commands of the check as a managed service does."""

    def __init__(self, *, info: str = "redis_version:7.0.15\r\n", policy: list[bytes] | Exception) -> None:
        self._info = info
        self._policy = policy

    async def run_command(self, *command: str | bytes) -> Any:
        match command[0]:
            case "INFO":
                return self._info.encode()
            case "EVAL":
                return [b"WRITTEN"]
            case _:
                if isinstance(self._policy, Exception):
                    raise self._policy
                return self._policy


async def problem_of(server: ManagedRedis, *, declares_noeviction: bool = False) -> str | None:
    check = HotStoreCheck(
        server, "rediss://app:secret@cache.example:6380/0?ssl_cert_reqs=none", declares_noeviction=declares_noeviction
    )
    return await check.problem(within_s=60)


@pytest.mark.parametrize("policy", [CONFIG_IS_REFUSED, []], ids=["refused", "empty"])
async def test_hidden_policy_must_be_declared(policy: list[bytes] | Exception) -> None:
    assert await problem_of(ManagedRedis(policy=policy)) == (
        "Redis at cache.example:6380/0 does not show its maxmemory-policy; allow CONFIG GET, or make sure that the "
        "policy is noeviction and set ONSALE_REDIS_EVICTION=noeviction"
    )
    assert await problem_of(ManagedRedis(policy=policy), declares_noeviction=True) is None


@pytest.mark.parametrize("declares_noeviction", [False, True])
async def test_policy_that_is_shown_counts(declares_noeviction: bool) -> None:
    shown = ManagedRedis(policy=[b"maxmemory-policy", b"volatile-lru"])
    problem = await problem_of(shown, declares_noeviction=declares_noeviction)
    assert problem is not None
    assert "its maxmemory-policy is volatile-lru; set it to noeviction" in problem
    right = ManagedRedis(policy=[b"maxmemory-policy", b"noeviction"])
    assert await problem_of(right, declares_noeviction=declares_noeviction) is None


async def test_info_shows_the_policy_where_config_is_refused() -> None:
    info = "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n"
    assert await problem_of(ManagedRedis(info=info, policy=CONFIG_IS_REFUSED)) is None


async def test_old_redis_is_not_ready() -> None:
    info = "redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n"
    problem = await problem_of(ManagedRedis(info=info, policy=[]))
    assert problem == "Redis at cache.example:6380/0 has version 6.2.14; Onsale needs Redis 7 or a Valkey"
