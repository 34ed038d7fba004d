"""Login sessions in Redis: they expire, are renewed by one process, and never come back."""

import asyncio
import time

from storage.connect import Stores
from storage.keys import login_session_keys
from tests.support.waiting import wait_until

DIGEST = "d" * 64


def in_a_minute() -> float:
    return time.time() + 60


async def test_session_is_read_as_written_until_it_expires(any_stores: Stores) -> None:
    sessions = any_stores.login_sessions
    assert await sessions.read(DIGEST) is None
    await sessions.create(DIGEST, b"\x00\xff sealed", expires_at=in_a_minute())
    assert await sessions.read(DIGEST) == b"\x00\xff sealed"
    ttl_ms = await any_stores.script_client.run_command("PTTL", login_session_keys(DIGEST)[0])
    assert 0 < ttl_ms <= 60_000
    assert await sessions.replace(DIGEST, b"renewed", expires_at=time.time() + 0.05)

    async def is_gone() -> bool:
        return await sessions.read(DIGEST) is None

    await wait_until(is_gone)


async def test_renewal_cannot_bring_a_deleted_session_back(any_stores: Stores) -> None:
    sessions = any_stores.login_sessions
    await sessions.create(DIGEST, b"sealed", expires_at=in_a_minute())
    await sessions.delete(DIGEST)
    await sessions.delete(DIGEST)
    assert not await sessions.replace(DIGEST, b"renewed", expires_at=in_a_minute())
    assert await sessions.read(DIGEST) is None


async def test_only_one_of_a_hundred_renewal_claims_succeeds(any_stores: Stores) -> None:
    sessions = any_stores.login_sessions
    await sessions.create(DIGEST, b"sealed", expires_at=in_a_minute())
    claims = await asyncio.gather(*(sessions.claim_renewal(DIGEST, gap_s=60) for _ in range(100)))
    assert claims.count(True) == 1
    assert await sessions.claim_renewal("e" * 64, gap_s=60)


async def test_renewal_claim_expires(any_stores: Stores) -> None:
    sessions = any_stores.login_sessions
    assert await sessions.claim_renewal(DIGEST, gap_s=0.05)

    async def can_claim() -> bool:
        return await sessions.claim_renewal(DIGEST, gap_s=0.05)

    await wait_until(can_claim)
