"""Verifies tokens and refuses those whose session has ended.

No token is accepted until the process has read the revocations once.
"""

import time
from collections.abc import Callable
from typing import Protocol

from auth.bearer import TokenDigest
from auth.revocation.rechecks import Rechecks, bearer_credential
from auth.revocation.revocations import Revocations
from auth.viewer import PRIVILEGED, Viewer
from domain.errors import SESSION_ENDED, TemporarilyUnavailable, Unauthenticated
from domain.identity.revocations import REVOCATION_LASTS_S


class Verifier(Protocol):
    async def verify(self, token: str) -> Viewer: ...

    def recall(self, digest: TokenDigest, accepts: Callable[[Viewer], bool]) -> Viewer | None: ...


class RevocationVerifier:
    def __init__(self, verifier: Verifier, revocations: Revocations, rechecks: Rechecks | None = None) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._rechecks = rechecks

    async def verify(self, token: str) -> Viewer:
        """Return the viewer, whose roles may differ from those in the token.

        Raises Unauthenticated, or TemporarilyUnavailable if the issuer's keys or the revocations
        are not known yet, or if the issuer has failed to confirm privileged roles for too long.
        """
        if not self._revocations.is_loaded:
            raise TemporarilyUnavailable("The sessions that have ended are not known yet")
        viewer = await self._verifier.verify(token)
        if _is_too_old(viewer):
            hours = REVOCATION_LASTS_S // 3_600
            raise Unauthenticated(f"The access token was issued more than {hours} hours ago; refresh it.")
        if self._revocations.is_revoked(viewer):
            raise Unauthenticated(f"{SESSION_ENDED}.")
        if self._rechecks is None or viewer.roles.isdisjoint(PRIVILEGED):
            return viewer
        return await self._rechecks.current(bearer_credential(token, viewer), viewer)

    def recall(self, digest: TokenDigest) -> Viewer | None:
        """Return the viewer whom `verify` would return for the token with this digest, if the token
        was verified earlier and the issuer need not confirm roles. Otherwise returns None.
        """
        return self._verifier.recall(digest, self._is_plain) if self._revocations.is_loaded else None

    def _is_plain(self, viewer: Viewer) -> bool:
        """Return whether nothing but the token decides who the viewer is."""
        needs_recheck = self._rechecks is not None and not viewer.roles.isdisjoint(PRIVILEGED)
        return not (needs_recheck or _is_too_old(viewer) or self._revocations.is_revoked(viewer))


def _is_too_old(viewer: Viewer) -> bool:
    """Return whether a revocation of the token may have been forgotten."""
    return viewer.issued_at < time.time() - REVOCATION_LASTS_S
