"""Verifies tokens and refuses those whose session has ended.

No token is accepted until the process has read the revocations once.
"""

import time
from typing import Protocol

from auth.revocation.rechecks import Rechecks, bearer_credential
from auth.revocation.revocations import Revocations
from auth.viewer import PRIVILEGED, Viewer
from domain.errors import SESSION_ENDED, TemporarilyUnavailable, Unauthenticated
from domain.identity.revocations import REVOCATION_LASTS_S


class Verifier(Protocol):
    async def verify(self, token: str) -> Viewer: ...


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
        # A revocation is forgotten after this time, so an older token might have been revoked.
        if viewer.issued_at < time.time() - REVOCATION_LASTS_S:
            hours = REVOCATION_LASTS_S // 3_600
            raise Unauthenticated(f"The access token was issued more than {hours} hours ago; refresh it.")
        if self._revocations.is_revoked(viewer):
            raise Unauthenticated(f"{SESSION_ENDED}.")
        if self._rechecks is None or viewer.roles.isdisjoint(PRIVILEGED):
            return viewer
        return await self._rechecks.current(bearer_credential(token, viewer), viewer)
