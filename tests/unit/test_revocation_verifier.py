"""Tokens whose session has ended are refused; none is accepted before revocations are read."""

import time
from dataclasses import dataclass

import pytest

from auth.revocation.revocations import Revocations
from auth.revocation.verifier import RevocationVerifier
from auth.viewer import Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.identity.revocations import REVOCATION_LASTS_S
from tests.support.revocations import START_S, FakeRevocationStore, viewer


@dataclass
class FixedVerifier:
    viewer: Viewer
    calls: int = 0

    async def verify(self, token: str) -> Viewer:
        self.calls += 1
        return self.viewer


async def test_no_token_is_verified_before_revocations_are_read() -> None:
    revocations, inner = Revocations(FakeRevocationStore()), FixedVerifier(viewer())
    verifier = RevocationVerifier(inner, revocations)
    with pytest.raises(TemporarilyUnavailable) as caught:
        await verifier.verify("token")
    assert (inner.calls, caught.value.retry_after_s) == (0, 1)
    await revocations.read_new()
    assert await verifier.verify("token") is inner.viewer


async def test_token_of_an_ended_session_is_refused() -> None:
    revocations, inner = Revocations(FakeRevocationStore()), FixedVerifier(viewer(sid="s1"))
    verifier = RevocationVerifier(inner, revocations)
    await revocations.read_new()
    assert await verifier.verify("token") is inner.viewer
    await revocations.revoke_session("s1")
    with pytest.raises(Unauthenticated, match=r"^Your session has ended; sign in again\.$"):
        await verifier.verify("token")
    inner.viewer = viewer(sid="s1", issued_at=START_S + 60)
    with pytest.raises(Unauthenticated):
        await verifier.verify("a token issued later")


async def test_token_older_than_the_lifetime_of_a_revocation_is_refused() -> None:
    revocations, inner = Revocations(FakeRevocationStore()), FixedVerifier(viewer())
    verifier = RevocationVerifier(inner, revocations)
    await revocations.read_new()
    inner.viewer = viewer(issued_at=time.time() - REVOCATION_LASTS_S - 1)
    with pytest.raises(Unauthenticated, match="more than 24 hours ago; refresh it"):
        await verifier.verify("token")
    inner.viewer = viewer(issued_at=time.time() - REVOCATION_LASTS_S + 60)
    assert await verifier.verify("token") is inner.viewer
