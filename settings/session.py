"""Settings for the login sessions of browsers (`ONSALE_SESSION_*`)."""

from dataclasses import dataclass, field

from settings.reader import SettingsReader

KEY_BYTES = 32
MAX_LIFETIME_S = 82_800
"""One hour less than the time for which an ended session is remembered."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys of 32 bytes in base64 that encrypt sessions in Redis. The first encrypts; all decrypt.

    If there are none in development, a key is created in the data directory.
    """
    lifetime_s: int = 36_000
    """The maximum lifetime of a session after the login: ten hours, as in Keycloak."""
    recheck_s: int = 600
    """How often the session of an open socket or event stream is checked, give or take 20%."""
    issuer_away_s: int = 900
    """How long a session is still accepted while the issuer cannot be reached to renew it."""

    @classmethod
    def read(cls, reader: SettingsReader) -> "SessionSettings":
        default = cls()
        return cls(
            keys=reader.base64_keys("SESSION_KEYS", length=KEY_BYTES),
            lifetime_s=reader.number("SESSION_LIFETIME_S", default.lifetime_s, highest=MAX_LIFETIME_S),
            recheck_s=reader.number("SESSION_RECHECK_S", default.recheck_s),
            issuer_away_s=reader.number("SESSION_ISSUER_AWAY_S", default.issuer_away_s),
        )
