"""Sends messages to a mail server. Each failure says whether the message, its recipient or the
server caused it, because that decides what is tried again.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import NoReturn

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from domain.text.links import mask_addresses
from mail.messages import POLICY

ANSWER_TIMEOUT_S = 60
"""How long the server may take to answer after the text, whatever the timeout of a command is. The
server may scan for viruses at that point, and a mail that is given up on too early is sent twice.
RFC 5321 suggests ten minutes, but a lane could send nothing else for that long.
"""
MAX_ANSWER = 300
"""The number of characters kept of a server's answer; more would fill the log."""
_NO_SUCH_ADDRESS = frozenset({550, 551, 553})
_ENHANCED_CODE = re.compile(r"5\.(?P<subject>[0-9])\.[0-9]", re.ASCII)
"""An enhanced status code (RFC 3463). Subject 1 means the address."""
_SERVICE_ENDS = 421
"""The server closes the connection, whichever command was sent."""


class ServerUnavailable(Exception):
    """No message at all can be sent at present."""


class MailRefused(Exception):
    """The server did not accept a message. If `is_permanent`, another attempt would not help."""

    def __init__(
        self, problem: str, *, is_permanent: bool, is_address: bool = False, may_have_arrived: bool = False
    ) -> None:
        super().__init__(problem)
        self.is_permanent = is_permanent
        self.may_have_arrived = may_have_arrived
        """Whether the server got the text but did not answer."""
        self.is_address = is_address
        """Whether the address is the cause. Only its owner can correct it."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    host: str
    port: int
    security: str
    timeout_s: float
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    answer_timeout_s: float = ANSWER_TIMEOUT_S

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["SmtpConnection"]:
        """Keep a connection open for the block. Raises ServerUnavailable."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            timeout=self.timeout_s,
        )
        try:
            await client.connect()
            # This reads the server's extensions, which the library does not always ask for.
            await client.ehlo()
            if self.username is not None and self.password is not None:
                await client.login(self.username, self.password)
        except (SMTPException, OSError) as error:
            client.close()
            raise ServerUnavailable(describe(error)) from error
        try:
            yield SmtpConnection(client, answer_timeout_s=self.answer_timeout_s)
        finally:
            await _quit(client)


class SmtpConnection:
    def __init__(self, client: aiosmtplib.SMTP, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._client = client
        self._answer_timeout_s = answer_timeout_s
        self._is_text_sent = False

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Return once the server has accepted the message. Raises MailRefused, and
        ServerUnavailable if the server takes no messages.

        If the connection is lost or the time runs out after the text was sent, it is unknown
        whether the server accepted it; the message then counts as refused for now and is sent
        again.
        """
        needs_utf8 = not recipient.isascii()
        if needs_utf8 and not self._client.supports_extension("smtputf8"):
            problem = "the mail server accepts only ASCII addresses"
            raise MailRefused(problem, is_permanent=True, is_address=True)
        options = ["SMTPUTF8"] if needs_utf8 else []
        content = message.as_bytes(policy=POLICY.clone(utf8=needs_utf8))
        await self._begin(sender, options)
        try:
            await self._client.rcpt(recipient, encoding="utf-8" if needs_utf8 else "ascii")
        except SMTPResponseException as error:
            await self._raise_refused(error, is_address=True)
        except (SMTPException, OSError) as error:
            self._raise_interrupted(error)
        try:
            self._is_text_sent = True
            await self._client.data(content, timeout=self._answer_timeout_s)
            self._is_text_sent = False
        except SMTPResponseException as error:
            self._is_text_sent = False
            await self._raise_refused(error, is_address=False)
        except (SMTPException, OSError) as error:
            self._raise_interrupted(error, may_have_arrived=True)

    async def _begin(self, sender: str, options: list[str]) -> None:
        try:
            await self._client.mail(sender, options=options)
        except SMTPResponseException as error:
            if options:
                # Only mails to an address that needs this option use it.
                await self._raise_refused(error, is_address=True)
            self._client.close()
            raise ServerUnavailable(describe(error)) from error
        except (SMTPException, OSError) as error:
            # All mails have the same sender.
            self._client.close()
            raise ServerUnavailable(describe(error)) from error

    def _raise_interrupted(self, error: Exception, *, may_have_arrived: bool = False) -> NoReturn:
        """Raise MailRefused. If a server keeps closing the connection because of one mail, the
        other mails must still be sent.
        """
        self._client.close()
        raise MailRefused(describe(error), is_permanent=False, may_have_arrived=may_have_arrived) from error

    async def _raise_refused(self, error: SMTPResponseException, *, is_address: bool) -> None:
        """Reset the session, so that the server forgets the message, and raise MailRefused."""
        if error.code == _SERVICE_ENDS:
            self._raise_interrupted(error)
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self._client.close()
        is_permanent = _is_unknown_address(error) if is_address else error.code >= 500
        raise MailRefused(describe(error), is_permanent=is_permanent, is_address=is_address) from error

    @property
    def is_open(self) -> bool:
        return self._client.is_connected

    @property
    def awaits_answer(self) -> bool:
        """Return whether a text was sent that the server has neither accepted nor refused yet."""
        return self.is_open and self._is_text_sent


def describe(error: Exception) -> str:
    """Return what happened, without addresses and on one line."""
    if isinstance(error, SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = f"{type(error).__name__}: {error}"
    return mask_addresses(" ".join(text.split()))[:MAX_ANSWER]


def _is_unknown_address(error: SMTPResponseException) -> bool:
    """Return whether the server says that there is no such address.

    Other refusals of a recipient, such as a ban on relaying, are configuration errors. Those mails
    are tried again; otherwise one mistake would end every mail.
    """
    enhanced = _ENHANCED_CODE.match(error.message)
    return enhanced["subject"] == "1" if enhanced else error.code in _NO_SUCH_ADDRESS


async def _quit(client: aiosmtplib.SMTP) -> None:
    """End the session. Nothing depends on the answer."""
    try:
        async with asyncio.timeout(1):
            await client.quit()
    except (SMTPException, OSError):
        pass
    finally:
        client.close()
