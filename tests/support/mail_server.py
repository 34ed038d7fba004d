"""A real SMTP server that keeps the messages it accepts, and misbehaves as a test demands."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from mail.smtp import SmtpServer

# The library logs every command, with addresses.
logging.getLogger("mail.log").setLevel(logging.ERROR)
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class Accepted:
    recipients: tuple[str, ...]
    message: EmailMessage

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """The handler of the server. Each command uses up one answer of its list."""

    port: int = 0
    """0, for any free port, until the server has started; then its port, even after a restart."""
    accepted: list[Accepted] = field(default_factory=list)
    recipient_answers: list[str] = field(default_factory=list)
    data_answers: list[str] = field(default_factory=list)
    drops_after_accepting: bool = False
    drops_before_answering: int = 0
    """The number of messages that the server takes without an answer before it ends the
    connection.
    """
    hangs_up_on: str = ""
    """An address for which the server ends the connection."""
    hangs_at: str = ""
    """An address for which the server never answers."""
    is_hanging: bool = False
    refuses_utf8: bool = False
    """Whether the server refuses an option that it offers."""
    most_connections: int | None = None
    """How many connections the server accepts at the same time; None for any number."""
    is_slow: bool = False
    """While this is true, a message is never answered."""
    takes_utf8: bool = True
    needs_password: bool = False
    connections: int = 0
    open_connections: int = 0
    _server: asyncio.Server | None = None

    def address(self, *, timeout_s: float = 60, password: str | None = None) -> SmtpServer:
        username = "onsale" if password else None
        return SmtpServer("127.0.0.1", self.port, "none", timeout_s, username, password, timeout_s)

    @property
    def ids(self) -> list[str]:
        return sorted(mail.id for mail in self.accepted)

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _connect(self) -> asyncio.BaseProtocol:
        self.connections += 1
        if self.most_connections is not None and self.open_connections >= self.most_connections:
            return _Refusal()
        self.open_connections += 1
        return _Protocol(
            self,
            enable_SMTPUTF8=self.takes_utf8,
            hostname="mail.example",
            loop=asyncio.get_running_loop(),
            authenticator=_check_password,
            auth_require_tls=False,
        )

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_utf8 and "SMTPUTF8" in options:
            return "555 5.5.4 SMTPUTF8 is not supported here"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.hangs_up_on:
            _hang_up(server)
        if address == self.hangs_at:
            self.is_hanging = True
            await asyncio.Event().wait()
        answer = self.recipient_answers.pop(0) if self.recipient_answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            message: Any = message_from_bytes(content, policy=policy.default)
            self.accepted.append(Accepted(tuple(envelope.rcpt_tos), message))
        if self.is_slow:
            await asyncio.Event().wait()
        if self.drops_before_answering:
            self.drops_before_answering -= 1
            _hang_up(server)
        return answer


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"421 4.7.0 Too many connections\r\n")
        transport.close()


class _Protocol(SMTP):
    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        handler: MailServer = self.event_handler
        handler.open_connections -= 1

    async def smtp_DATA(self, arg: str) -> None:
        await super().smtp_DATA(arg)
        handler: MailServer = self.event_handler
        if handler.drops_after_accepting and self.transport is not None:
            self.transport.close()


def _hang_up(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.abort()  # type: ignore[attr-defined]


def _check_password(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@asynccontextmanager
async def running_mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
