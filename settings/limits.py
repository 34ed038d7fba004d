"""Settings for the limits on what one client may cost (`ONSALE_LIMIT_*`); see docs/limits.md.

A rate is a count and a number of seconds, written as `20/60`. A rate of None, written as `off`,
means no limit. The defaults are far above what people need, because a whole office, or all
customers of a mobile carrier, may share one address.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeAlias

from settings.reader import SettingsReader

RateSetting: TypeAlias = tuple[int, int] | None

SHARED = (
    "hold_requests_per_address",
    "payment_syncs_per_address",
    "transfers_per_address",
    "check_ins_per_address",
    "streams_per_address",
)
"""The limits per address that each process counts itself, so the processes of a server share them.
Redis counts the other rates per address, for all processes together.
"""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    joins_per_person: RateSetting = (20, 60)
    joins_per_address: RateSetting = (3_000, 10)
    holds_per_person: RateSetting = (60, 60)
    holds_per_address: RateSetting = (3_000, 10)
    purchases_per_person: RateSetting = (30, 60)
    purchases_per_address: RateSetting = (3_000, 10)
    hold_requests_per_person: RateSetting = (100, 10)
    """Requests for holds that one process receives, including repeated ones. The limit per address
    is for all processes of a server together, like each in `SHARED`.
    """
    hold_requests_per_address: RateSetting = (5_000, 10)
    payment_syncs_per_person: RateSetting = (30, 60)
    """Calls of `syncOrderPayment` to one process. Each call asks the payment provider."""
    payment_syncs_per_address: RateSetting = (1_000, 10)
    transfers_per_person: RateSetting = (20, 3_600)
    """Calls of `transferTicket` to one process. Each call sends an email."""
    transfers_per_address: RateSetting = (300, 60)
    check_ins_per_person: RateSetting = (600, 60)
    """Calls of `checkInTicket` and `checkInTickets` to one process. Several scanners may
    share an account.
    """
    check_ins_per_address: RateSetting = (3_000, 60)
    mails_per_recipient: RateSetting = (20, 3_600)
    """Mails to one address, except mails about transfers. Further mails wait."""
    transfer_mails_per_recipient: RateSetting = (20, 3_600)
    """Mails that offer tickets to one address. Anyone can cause them, so they have a limit of their
    own and never delay the mails about purchases.
    """
    mails_per_person: RateSetting = (100, 3_600)
    """Mails that one person causes. Further mails wait."""
    uploads_per_person: RateSetting = (60, 600)
    """Uploads of images. Each costs about a second of a core."""
    image_bytes_per_person: int = 268_435_456
    """The total bytes of one person's stored images: enough for about 700 images."""
    exports_per_person: RateSetting = (20, 3_600)
    """Exports of the orders of a concert. Each reads every order."""
    logins_per_address: RateSetting = (3_000, 60)
    streams: int = 20_000
    """The maximum number of sockets and event streams per process."""
    streams_per_address: int = 5_000
    streams_per_person: int = 20
    operations_per_socket: int = 50
    message_bytes: int = 65_536
    messages_per_second: int = 20
    messages_burst: int = 120
    cost: int = 30_000
    """The maximum cost of an operation; a plain field costs 1."""
    introspection_cost: int = 400_000
    document_characters: int = 20_000
    document_tokens: int = 2_000
    depth: int = 15
    fields: int = 400
    aliases: int = 30
    directives: int = 50
    root_fields: int = 20
    webhook_bytes: int = 524_288
    """The maximum size of a payment webhook. Stripe's webhooks have a few kilobytes."""

    @classmethod
    def read(cls, reader: SettingsReader) -> "LimitSettings":
        read: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            variable, default = f"LIMIT_{field.name.upper()}", getattr(cls(), field.name)
            read[field.name] = (reader.number if isinstance(default, int) else reader.rate)(variable, default)
        return cls(**read)

    def share_of(self, processes: int) -> "LimitSettings":
        """Return the limits of one of the processes that share a port.

        Limits per address are divided and rounded down, so that the processes together never admit
        more. Those of people are not: a person's few connections may all reach one process.
        """
        shares: dict[str, Any] = {name: _divide(getattr(self, name), processes) for name in SHARED}
        return dataclasses.replace(self, **shares)

    def report_small(self, reader: SettingsReader, *, processes: int) -> None:
        """Report the limits that are too small to be divided."""
        for name in SHARED:
            limit = getattr(self, name)
            count = limit if isinstance(limit, int) or limit is None else limit[0]
            if count is not None and count < processes:
                reader.report(
                    f"ONSALE_LIMIT_{name.upper()} allows {count}, which {processes} server processes share;"
                    f" allow at least {processes}, or lower ONSALE_PROCESSES"
                )


def _divide(limit: int | RateSetting, processes: int) -> int | RateSetting:
    if limit is None:
        return None
    if isinstance(limit, int):
        return max(1, limit // processes)
    count, seconds = limit
    return max(1, count // processes), seconds
