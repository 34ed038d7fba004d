"""A login session: who signed in, and the tokens used to renew the login."""

import json
from dataclasses import asdict, dataclass, replace

from auth.viewer import Role, Viewer
from domain.ids import PersonId


@dataclass(frozen=True, slots=True)
class Session:
    """Times are in Unix seconds. The access token itself is verified once and not kept."""

    person_id: PersonId
    name: str
    email: str | None
    roles: frozenset[Role]
    issuer_session: str | None
    """The `sid` of the tokens: the login session at the issuer."""
    signed_in_at: float
    """Revoking all logins up to a later time ends the session, even if it has been renewed."""
    renew_at: float
    expires_at: float
    """When the last access token expires. The issuer vouches for the person until then."""
    ends_at: float
    """When the session ends if it is not renewed."""
    refresh_token: str | None
    id_token: str | None
    """Names the session when the person signs out at the issuer."""
    is_email_verified: bool = False
    """False in a session of an earlier version, until it is renewed."""

    @property
    def viewer(self) -> Viewer:
        """Return the viewer, without an expiry, because session sockets are rechecked instead."""
        return Viewer(
            person_id=self.person_id,
            name=self.name,
            email=self.email,
            roles=self.roles,
            issued_at=self.signed_in_at,
            session_id=self.issuer_session,
            is_email_verified=self.is_email_verified,
        )

    def encode(self) -> bytes:
        return json.dumps({**asdict(self), "roles": sorted(self.roles)}).encode()


def decode_session(text: bytes) -> Session:
    session = Session(**json.loads(text))
    return replace(session, roles=frozenset(role for role in Role if role in session.roles))
