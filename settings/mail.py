"""Settings for the mail that is sent to buyers (`ONSALE_MAIL_*`)."""

from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr

from settings.reader import SettingsReader

SECURITY = ("starttls", "tls", "none")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class MailSettings:
    host: str | None = None
    """The mail server. If it is None in development, mail goes to the mailbox page only."""
    port: int = 587
    security: str = "starttls"
    """How the connection is encrypted: `tls` from the start, `starttls` after a command. `none`
    is for a server on the same machine.
    """
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str = "Onsale <tickets@onsale.example>"
    """The name and the address from which mail is sent."""
    timeout_s: int = 30
    """How long one command may take. RFC 5321 suggests minutes, but then a slow server would stop
    all mails. A mail that takes too long is tried again.
    """
    transfer_page: str | None = None
    """The page of the shop on which a person accepts a ticket. If None, a page of Onsale.
    """

    @classmethod
    def read(cls, reader: SettingsReader) -> "MailSettings":
        default = cls()
        settings = cls(
            host=reader.optional("MAIL_HOST"),
            port=reader.number("MAIL_PORT", default.port, highest=65_535),
            security=reader.choice("MAIL_SECURITY", SECURITY, default.security),
            username=reader.optional("MAIL_USERNAME"),
            password=reader.optional("MAIL_PASSWORD"),
            sender=reader.text("MAIL_SENDER", default.sender),
            timeout_s=reader.number("MAIL_TIMEOUT_S", default.timeout_s, highest=60),
            transfer_page=reader.optional("MAIL_TRANSFER_PAGE"),
        )
        if read_sender(settings.sender) is None:
            reader.report(
                f"ONSALE_MAIL_SENDER is {settings.sender[:64]!r}; write it as Name <name@example.org> in ASCII"
            )
        if (settings.username is None) != (settings.password is None):
            reader.report("ONSALE_MAIL_USERNAME and ONSALE_MAIL_PASSWORD belong together; set both or neither")
        if settings.transfer_page and not settings.transfer_page.startswith(("https://", "http://")):
            reader.report(
                f"ONSALE_MAIL_TRANSFER_PAGE is {settings.transfer_page[:64]!r}; write it as https://shop.example/accept"
            )
        if reader.optional("ENV") == "production":
            _check_production(reader, settings)
        return settings


def read_sender(text: str) -> Address | None:
    """Return the parsed name and address, or None if the text is malformed."""
    name, address = parseaddr(text)
    if not text.isascii() or not text.isprintable() or "." not in address.partition("@")[2]:
        return None
    try:
        return Address(name, addr_spec=address)
    except (ValueError, HeaderParseError):
        return None


def _check_production(reader: SettingsReader, settings: MailSettings) -> None:
    reader.require("MAIL_HOST", "MAIL_SENDER")
    if settings.security == "none" and settings.host is not None and settings.host not in _LOOPBACK:
        reader.report(
            "ONSALE_MAIL_SECURITY is 'none', which sends tickets and passwords unencrypted; in "
            "production, set it to starttls or tls unless the mail server runs on this machine"
        )
    reader.require_https(
        "MAIL_TRANSFER_PAGE", settings.transfer_page, why="because it receives the secret of a transfer"
    )
