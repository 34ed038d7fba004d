"""OpenID Connect Back-Channel Logout: tells a client that one of its sessions has ended.

Like Keycloak, the issuer posts the logout token before it answers the browser. A client that does
not answer in time delays the logout, but cannot prevent it.
"""

import asyncio
import logging

import httpx2

from auth.dev_issuer.claims import TokenMint
from auth.dev_issuer.logout import EndedSession

log = logging.getLogger(__name__)

WAIT_S = 3.0
"""The longest time that a logout waits for the client."""


class BackchannelLogout:
    """`url` is where the client `client_id` receives logout tokens; other clients receive none."""

    def __init__(self, url: str | None, *, client_id: str, mint: TokenMint) -> None:
        self._url = url
        self._client_id = client_id
        self._mint = mint

    async def send(self, session: EndedSession) -> None:
        """Post a logout token for the session. A failure is only logged."""
        if self._url is None or session.client_id != self._client_id:
            return
        token = self._mint.logout_token(
            client_id=session.client_id, subject=session.subject, session_id=session.session_id
        )
        try:
            # The address is on this machine, which no proxy from the environment can reach.
            async with asyncio.timeout(WAIT_S), httpx2.AsyncClient(trust_env=False) as client:
                answer = await client.post(self._url, data={"logout_token": token})
            if answer.status_code not in (200, 204):
                log.warning("back-channel logout: %s answered %d; expected 200", self._url, answer.status_code)
        except (httpx2.HTTPError, TimeoutError) as error:
            log.warning("back-channel logout: %s did not answer: %s: %s", self._url, type(error).__name__, error)
