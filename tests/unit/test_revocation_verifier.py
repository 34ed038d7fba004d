"""Tokens whose session has ended are refused; none is accepted before revocations are read."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from auth.bearer import TokenDigest, digest_token
from auth.revocation.revocations import Revocations
from auth.revocation.verifier import RevocationVerifier
from auth.viewer import Role, Viewer
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

    def recall(self, digest: TokenDigest, accepts: Callable[[Viewer], bool]) -> Viewer | None:
        return self.viewer if accepts(self.viewer) else None


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


async def test_remembered_token_is_accepted_only_if_nothing_else_decides() -> None:
    revocations, inner = Revocations(FakeRevocationStore()), FixedVerifier(viewer(sid="s1"))
    digest, verifier = digest_token("token"), RevocationVerifier(inner, revocations)
    assert verifier.recall(digest) is None, "the revocations have not been read"
    await revocations.read_new()
    assert verifier.recall(digest) is inner.viewer
    inner.viewer = viewer(sid="s1", issued_at=time.time() - REVOCATION_LASTS_S - 1)
    assert verifier.recall(digest) is None
    inner.viewer = viewer(sid="s1")
    await revocations.revoke_session("s1")
    assert verifier.recall(digest) is None


async def test_role_that_the_issuer_must_confirm_is_not_remembered() -> None:
    revocations = Revocations(FakeRevocationStore())
    await revocations.read_new()
    rechecks: Any = object()
    for role, is_plain in ((Role.CUSTOMER, True), (Role.ORGANIZER, False)):
        inner = FixedVerifier(replace(viewer(), roles=frozenset({role})))
        verifier = RevocationVerifier(inner, revocations, rechecks)
        assert (verifier.recall(digest_token("token")) is inner.viewer) is is_plain
