"""Sends the mails in the outbox.

A mail is sent at least once: it is marked as sent after the server has accepted it, and a crash in
between sends it again with the same Message-ID. While no mail can be sent, the mails simply wait;
only failures that a mail itself causes count toward giving up on it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from traceback import format_exception

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import fingerprint
from domain.mails.mail import Mail, MailKind, MailState, cancellation_id, is_refunded_for_cancellation
from domain.mails.outdated import why_outdated
from domain.orders import Order
from domain.text.links import mask_addresses
from mail.mailer import Mailer, ReadyMail
from mail.smtp import MailRefused, ServerUnavailable, SmtpConnection, SmtpServer
from payments.saga.order_payments import now_ms
from storage.connect import Stores
from storage.mongo.mails.outbox import LEASE, MailLease
from telemetry import counters, traces
from telemetry.alarms import Alarm, raise_alarm
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "sending mails")

LANES = 4
"""The number of connections to the mail server. Servers allow only a few per sender."""
MAILS_PER_LEASE = 10
SEND_WITHIN_S = 120.0
"""How long one mail may take, including its documents. A batch starts no mail that might outlast
its lease.
"""
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)
"""The pauses while the mail server is not working. A server may lock out a client that tries to
sign in too often.
"""
BEHIND_CANCELLATION = timedelta(seconds=2)
"""The pause of a refund while the mail about the canceled concert has not been sent."""
ALARM_AFTER = timedelta(minutes=10)
LOOK_AGAIN_S = 1.0
"""How often a lane without mails looks for new ones while another lane is still sending."""


class MailWorker:
    name = "mails"
    interval_s = 1.0

    def __init__(self, mailer: Mailer, *, clock: Callable[[], datetime] = now_ms) -> None:
        self._mailer = mailer
        self._clock = clock
        self._down_since: datetime | None = None
        self._pause = FIRST_PAUSE
        self._try_at: datetime | None = None
        self._is_reported = False

    async def run_once(self, stores: Stores) -> int:
        """Send the mails that are due, and return how many were sent, dropped or given up.

        Raises TemporarilyUnavailable if a store does not answer.
        """
        now = self._clock()
        if (self._try_at is not None and now < self._try_at) or not await stores.mails.has_due(now):
            return 0
        at_work = _LanesAtWork()
        lanes = [_Sender(stores, self._mailer, self._clock, at_work) for _ in range(LANES)]
        results = await asyncio.gather(*[lane.work() for lane in lanes], return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        unexpected = next((failure for failure in failures if not isinstance(failure, ServerUnavailable)), None)
        if unexpected is not None:
            raise unexpected
        decided = sum(lane.decided for lane in lanes)
        # A server that accepts fewer connections than there are lanes is still working.
        if failures and not decided:
            self._note_outage(failures[0])
        else:
            self._note_success()
        return decided

    def _note_outage(self, failure: BaseException) -> None:
        """Choose when to try again, and raise the alarm after ten minutes."""
        now = self._clock()
        _outage.failed(self, failure)
        self._down_since = self._down_since or now
        self._try_at = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if now - self._down_since >= ALARM_AFTER and not self._is_reported:
            self._is_reported = True
            since = self._down_since.isoformat(timespec="seconds")
            raise_alarm(log, Alarm.MAILS_WAIT, f"no mail could be sent since {since}: {failure}")

    def _note_success(self) -> None:
        _outage.succeeded(self)
        self._down_since, self._try_at, self._pause, self._is_reported = None, None, FIRST_PAUSE, False


class _LanesAtWork:
    """The lanes that are sending. Because one slow mail may take minutes, the other lanes wait and
    send the mails that arrive in the meantime.
    """

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()

    @contextmanager
    def one_more(self) -> Iterator[None]:
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    def __bool__(self) -> bool:
        return self._count > 0

    async def wait(self) -> None:
        """Wait until no lane is sending, or until it is time to look for new mails."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._none.wait()


class _Sender:
    """Sends mails one after another over one connection."""

    def __init__(self, stores: Stores, mailer: Mailer, clock: Callable[[], datetime], at_work: _LanesAtWork) -> None:
        self._stores = stores
        self._mailer = mailer
        self._clock = clock
        self._at_work = at_work
        self.decided = 0
        """The number of mails that were sent, dropped or given up."""

    async def work(self) -> None:
        """Send leased mails until none is due and no other lane is sending, or the task is
        canceled.

        Raises ServerUnavailable and TemporarilyUnavailable.
        """
        async with _Connections(self._mailer.server) as connections:
            while True:
                _stop_if_canceled()
                with self._at_work.one_more():
                    lease = await self._stores.mails.lease_due(self._clock(), limit=MAILS_PER_LEASE)
                    await self._send_leased(lease, connections)
                if not lease.mails and not self._at_work:
                    return
                if not lease.mails:
                    await self._at_work.wait()

    async def _send_leased(self, lease: MailLease, connections: "_Connections") -> None:
        last_begin = self._clock() + LEASE - timedelta(seconds=SEND_WITHIN_S)
        waiting = list(lease.mails)
        try:
            while waiting and self._clock() <= last_begin:
                _stop_if_canceled()
                result = await self._decide(waiting[0], connections)
                await self._stores.mails.finish(lease, result)
                del waiting[0]
                self.decided += result.state is not MailState.DUE
        finally:
            with suppress(TemporarilyUnavailable):
                await self._stores.mails.release(lease, waiting, self._clock())

    async def _decide(self, mail: Mail, connections: "_Connections") -> Mail:
        """Send a mail if it is still true, and return it with its new state."""
        about: traces.Attributes = {traces.CONCERT_ID: mail.concert_id, "onsale.mail": mail.kind.value}
        with traces.continue_trace("send mail", mail.traceparent, about) as span:
            decided = await self._try(mail, connections)
            if span is not None:
                span.set({"onsale.result": decided.state.value})
        return decided

    async def _try(self, mail: Mail, connections: "_Connections") -> Mail:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                return await self._send(mail, connections)
        except (ServerUnavailable, TemporarilyUnavailable):
            raise
        except MailRefused as refusal:
            return self._refused(mail, refusal)
        except TimeoutError:
            may_have_arrived = connections.awaits_answer
            connections.drop()
            problem = f"it took longer than {SEND_WITHIN_S:.0f} s"
            return self._refused(mail, MailRefused(problem, is_permanent=False, may_have_arrived=may_have_arrived))
        except Exception as error:
            # One mail that cannot be written must not stop the others.
            trace = mask_addresses("".join(format_exception(error)))
            log.error("mail %s cannot be written: %s", mail.id, trace)
            return self._failed(mail, mask_addresses(describe_cause(error)))

    async def _send(self, mail: Mail, connections: "_Connections") -> Mail:
        now = self._clock()
        order = await self._stores.orders.get(mail.order_id)
        concert = await self._stores.concerts.get(mail.concert_id)
        if order is None or concert is None:
            return self._failed(mail, "its order or its concert is missing")
        is_notice = mail.kind is MailKind.MOVED
        newest = await self._stores.notices.newest_version(concert.id) if is_notice else 0
        why = why_outdated(mail, order, concert, newest_notice=newest, now=now)
        if why is not None:
            counters.mails.labels("dropped").inc()
            return mail.dropped(why)
        if await self._follows_cancellation(mail, order):
            return mail.delayed(now + BEHIND_CANCELLATION)
        ready = await self._mailer.prepare(mail, order, concert, now)
        wait_s = await self._count(mail, ready)
        if wait_s:
            counters.mails.labels("delayed").inc()
            return mail.delayed(now + timedelta(seconds=wait_s))
        await connections.send(ready, sender=self._mailer.sender.addr_spec)
        if self._mailer.keeps_copies:
            subject, content = str(ready.message["Subject"]), ready.message.as_bytes()
            await self._stores.dev_mailbox.put(ready.recipient, subject, content, now)
        counters.mails.labels("sent").inc()
        return mail.sent()

    async def _follows_cancellation(self, mail: Mail, order: Order) -> bool:
        """Return whether a refund must wait for the mail that says why it was made."""
        if mail.kind is not MailKind.REFUND or not is_refunded_for_cancellation(order):
            return False
        first = await self._stores.mails.get(cancellation_id(order))
        return first is not None and first.state is MailState.DUE

    async def _count(self, mail: Mail, ready: ReadyMail) -> int:
        """Count the mail toward its limits. Return 0, or the seconds until it may be sent."""
        counter, recipient = self._stores.call_counter, fingerprint("mail", ready.recipient.casefold())
        to = ("mails-to", recipient, self._mailer.per_recipient)
        if mail.kind is MailKind.TRANSFER:
            # Strangers can cause these mails, which must not delay the mails about the recipient's
            # purchases.
            to = ("transfer-mails-to", recipient, self._mailer.transfers_per_recipient)
        limits = (to, ("mails-by", mail.person_id, self._mailer.per_person))
        for call, subject, rate in limits:
            wait_s = await counter.count(call, subject, rate) if rate else 0
            if wait_s:
                return wait_s
        return 0

    def _refused(self, mail: Mail, refusal: MailRefused) -> Mail:
        if refusal.may_have_arrived:
            return self._note_failure(mail, mail.without_answer(str(refusal), self._clock()))
        if not refusal.is_permanent:
            return self._failed(mail, str(refusal))
        if not refusal.is_address:
            return self._give_up(mail.dead(str(refusal)))
        # The buyer gave an address that does not exist, which is no reason to wake an operator.
        log.warning("mail %s was refused: %s", mail.id, refusal)
        counters.mails.labels("refused").inc()
        return mail.dead(str(refusal))

    def _failed(self, mail: Mail, problem: str) -> Mail:
        return self._note_failure(mail, mail.failed(problem, self._clock()))

    def _note_failure(self, before: Mail, failed: Mail) -> Mail:
        if failed.state is MailState.DEAD:
            return self._give_up(failed)
        counters.mails.labels("failed").inc()
        if not before.attempts:
            log.warning("mail %s is tried again later: %s", failed.id, failed.problem)
        return failed

    def _give_up(self, mail: Mail) -> Mail:
        counters.mails.labels("dead").inc()
        raise_alarm(log, Alarm.MAIL_GIVEN_UP, f"mail {mail.id} was not sent: {mail.problem}")
        return mail


def _stop_if_canceled() -> None:
    """Raise CancelledError if the task was canceled, even if the cancellation was lost.

    asyncio.wait_for of Python 3.11, with which the library waits for answers, returns an answer
    that arrives together with the cancellation, and swallows the cancellation. The mail of this
    answer has been sent, so it is marked first.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Connections:
    """Sends over one connection at a time, which it opens when needed. Without a server, it sends
    nothing.
    """

    def __init__(self, server: SmtpServer | None) -> None:
        self._server = server
        self._open: SmtpConnection | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "_Connections":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    @property
    def awaits_answer(self) -> bool:
        """Return whether a mail was interrupted after its text had been sent."""
        return self._open is not None and self._open.awaits_answer

    def drop(self) -> None:
        """Use another connection for the next mail."""
        self._open = None

    async def send(self, ready: ReadyMail, *, sender: str) -> None:
        if self._server is None:
            return
        is_used = self._open is not None and self._open.is_open
        try:
            await (await self._connection(self._server)).send(ready.message, sender=sender, recipient=ready.recipient)
        except ServerUnavailable:
            if not is_used:
                raise
            # The server may have closed the connection after the last mail.
            self.drop()
            connection = await self._connection(self._server)
            await connection.send(ready.message, sender=sender, recipient=ready.recipient)

    async def _connection(self, server: SmtpServer) -> SmtpConnection:
        if self._open is None or not self._open.is_open:
            await self._stack.aclose()
            self._open = await self._stack.enter_async_context(server.connected())
        return self._open
