"""Makes the mailer of a process from its settings."""

from domain.limits.rates import Rate
from mail.documents import NoDocuments, OrderDocuments
from mail.letters import Site
from mail.mailer import Mailer
from mail.smtp import SmtpServer
from settings import Settings
from settings.mail import read_sender

ACCEPT_PAGE = "/tickets/accept"


def make_mailer(settings: Settings, documents: OrderDocuments | None = None) -> Mailer:
    """Return the mailer. Without `documents`, mails say where to find the tickets instead of
    attaching them.
    """
    mail, limit = settings.mail, settings.limit
    sender, url = read_sender(mail.sender), settings.public_url or f"http://localhost:{settings.port}"
    assert sender is not None, "the settings were checked when they were read"
    return Mailer(
        server=None
        if mail.host is None
        else SmtpServer(
            host=mail.host,
            port=mail.port,
            security=mail.security,
            timeout_s=mail.timeout_s,
            username=mail.username,
            password=mail.password,
        ),
        sender=sender,
        site=Site(url, mail.transfer_page or f"{url}{ACCEPT_PAGE}"),
        keeps_copies=not settings.is_production,
        documents=documents or NoDocuments(),
        per_recipient=Rate(*limit.mails_per_recipient) if limit.mails_per_recipient else None,
        transfers_per_recipient=Rate(*limit.transfer_mails_per_recipient)
        if limit.transfer_mails_per_recipient
        else None,
        per_person=Rate(*limit.mails_per_person) if limit.mails_per_person else None,
    )
