"""The document of a paid order: made once, by workers that may die, and removed when it is no
longer needed.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.errors import TemporarilyUnavailable
from domain.ids import PersonId
from domain.orders import Order, OrderStatus
from domain.payments.effects import DOCUMENT, due_effects
from domain.text.locales import Locale
from domain.tickets.documents import DocumentId, TicketDocument
from tests.support.mail_shop import confirmation_id, open_mail_shop
from tests.support.payment_saga import Till, concert_for_sale, opened_till
from tests.support.shop import TICKET_KEYS
from tests.support.ticket_changes import pass_on_ticket, refund_units
from tests.support.ticket_documents import read_pages, scan_codes
from tickets.concert_keys import ConcertKeys
from tickets.documents.content import DocumentContent
from tickets.documents.library import DocumentLibrary, Renderer
from tickets.documents.render_pool import RenderFailed, RenderPool
from workers.documents.effect import DocumentEffect
from workers.documents.mailed_files import AttachedDocuments
from workers.documents.sweep import DocumentSweepWorker
from workers.effects.worker import EffectsWorker
from workers.mail.effect import queue_mails

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def till(valkey_url: str, mongo_url: str, mongo_database: str) -> AsyncIterator[Till]:
    async with opened_till(valkey_url, mongo_url, mongo_database) as made:
        await made.stores.ticket_documents.create_indexes()
        yield made


@dataclass
class Press:
    """Renders the holders' names immediately, or fails as a test demands."""

    fails: bool = False
    rendered: int = 0
    may_print: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_print.set()

    async def render(self, content: DocumentContent, *, name: str) -> bytes:
        if self.fails:
            raise RenderFailed("The process died 2 times")
        await self.may_print.wait()
        self.rendered += 1
        return " ".join(ticket.texts.holder for ticket in content.tickets).encode()


def library_of(till: Till, renderer: Renderer) -> DocumentLibrary:
    return DocumentLibrary(ConcertKeys(TICKET_KEYS, till.stores.ticket_keys), till.stores.ticket_documents, renderer)


def worker_of(till: Till, renderer: Renderer) -> EffectsWorker:
    return EffectsWorker({DOCUMENT: DocumentEffect(library_of(till, renderer))}, clock=till.now)


async def stored_ids(till: Till) -> list[DocumentId]:
    return [entry.id for entry in await till.stores.ticket_documents.list_after(None, limit=100)]


async def sweep(till: Till, **later: float) -> int:
    """Remove unneeded documents this many days or hours later."""
    return await DocumentSweepWorker(clock=lambda: till.now() + timedelta(**later)).run_once(till.stores)


async def test_paid_order_gets_its_document_and_is_fulfilled(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    async with aclosing(RenderPool([], processes=1)) as pool:
        await worker_of(till, pool).run_once(till.stores)

    done = await till.read(order)
    assert (done.status, DOCUMENT in due_effects(done)) == (OrderStatus.FULFILLED, False)
    (id_,) = await stored_ids(till)
    pdf = await till.stores.ticket_documents.read(id_)
    assert pdf is not None
    assert (len(read_pages(pdf)), [len(page) for page in scan_codes(pdf)]) == (2, [1, 1])


async def test_two_workers_and_repeated_runs_store_one_document(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    press = Press()
    effect = DocumentEffect(library_of(till, press))
    answers = await asyncio.gather(*[effect(till.stores, [order]) for _ in range(5)])

    assert list(answers) == [{order.id: None}] * 5
    assert (len(await stored_ids(till)), press.rendered) == (1, 1)
    assert await effect(till.stores, [order]) == {order.id: None}
    assert press.rendered == 1


async def test_case_12_worker_that_dies_after_the_pdf_leaves_one_document(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await DocumentEffect(library_of(till, Press()))(till.stores, [order])
    assert (await till.read(order)).status is OrderStatus.PAID

    await worker_of(till, Press(fails=True)).run_once(till.stores)

    assert ((await till.read(order)).status, len(await stored_ids(till))) == (OrderStatus.FULFILLED, 1)


async def test_document_is_finished_even_if_its_caller_gives_up(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    press = Press()
    press.may_print.clear()
    async with aclosing(library_of(till, press)) as library:
        effect = DocumentEffect(library)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(effect(till.stores, [order]), 0.01)
        press.may_print.set()
        assert await effect(till.stores, [order]) == {order.id: None}

    assert (press.rendered, len(await stored_ids(till))) == (1, 1)


async def test_ticket_stays_valid_while_its_document_cannot_be_made(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await worker_of(till, Press(fails=True)).run_once(till.stores)

    waiting = await till.read(order)
    assert (waiting.status, DOCUMENT in due_effects(waiting), len(waiting.tickets)) == (OrderStatus.PAID, True, 1)
    assert await stored_ids(till) == []
    till.ahead += timedelta(minutes=1)
    await worker_of(till, Press()).run_once(till.stores)
    assert (await till.read(order)).status is OrderStatus.FULFILLED


async def test_unavailable_store_is_the_reason_for_the_failure(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)

    class AwayStore:
        async def read(self, document_id: DocumentId) -> bytes | None:
            raise TemporarilyUnavailable("The order database does not answer")

        async def write(self, document: TicketDocument) -> None:
            raise AssertionError("nothing was rendered")

    library = DocumentLibrary(ConcertKeys(TICKET_KEYS, till.stores.ticket_keys), AwayStore(), Press())
    answer = await DocumentEffect(library)(till.stores, [order])
    assert str(answer[order.id]).startswith("The order database does not answer")


async def test_refunded_order_needs_no_document(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    refunded = await refund_units(till.stores, order.id, 2)
    press = Press()

    assert await DocumentEffect(library_of(till, press))(till.stores, [refunded]) == {order.id: None}
    assert (press.rendered, await stored_ids(till)) == (0, [])


async def store_all(till: Till, order: Order, people: Sequence[str]) -> None:
    """Store the documents of these holders."""
    concert = await till.stores.concerts.get(order.concert_id)
    assert concert is not None
    for person in people:
        tickets = tuple(ticket for ticket in order.tickets if ticket.holder_id == person)
        await library_of(till, Press()).pdf(order, concert, tickets, Locale.EN)


async def test_documents_are_removed_after_a_ticket_is_passed_on(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 2)
    await store_all(till, order, ["alice"])
    (old,) = await stored_ids(till)
    order = await pass_on_ticket(till.stores, order.id, 0, to=PersonId("nora"), name="Nora")
    await store_all(till, order, ["alice", "nora"])

    assert await sweep(till) == 0
    assert await sweep(till, hours=0.5) == 1
    left = await stored_ids(till)
    assert (len(left), old in left) == (2, False)
    assert await sweep(till, hours=0.5) == 0


async def test_documents_of_refunded_orders_are_removed(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    orders = [await till.paid_order(concert, 1, who=name) for name in ("alice", "bob")]
    for order, name in zip(orders, ("alice", "bob"), strict=True):
        await store_all(till, order, [name])
    await refund_units(till.stores, orders[0].id, 1)

    assert (await sweep(till, hours=0.5), len(await stored_ids(till))) == (1, 1)


async def test_documents_are_removed_a_month_after_the_concert(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    await store_all(till, order, ["alice"])

    assert await sweep(till, days=59) == 0
    assert (await sweep(till, days=61), await stored_ids(till)) == (1, [])


async def test_sweep_continues_where_it_stopped_and_then_starts_over(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.documents.sweep.PER_RUN", 2)
    concert = await concert_for_sale(till, 10)
    for name in ("alice", "bob", "carol"):
        order = await till.paid_order(concert, 1, who=name)
        await store_all(till, order, [name])
        await refund_units(till.stores, order.id, 1)
    worker = DocumentSweepWorker(clock=lambda: till.now() + timedelta(minutes=30))

    assert [await worker.run_once(till.stores) for _ in range(3)] == [2, 1, 0]
    assert await stored_ids(till) == []


async def test_mail_carries_the_pdf_and_the_calendar_file_of_valid_tickets(till: Till) -> None:
    concert = await concert_for_sale(till, 10)
    order = await till.paid_order(concert, 2)
    async with aclosing(RenderPool([], processes=1)) as pool:
        documents = AttachedDocuments(library_of(till, pool))
        async with open_mail_shop(till) as shop:
            await queue_mails(till.stores, [order])
            assert await shop.send(shop.make_worker(documents=documents)) == 1
            (sent,) = shop.server.accepted
        refunded = await refund_units(till.stores, order.id, 2)
        assert await documents.documents_for(refunded, concert, order.person_id) == ()

    pdf, calendar = sent.message.iter_attachments()
    names = [f"tickets-{order.number}.{suffix}" for suffix in ("pdf", "ics")]
    assert [pdf.get_filename(), calendar.get_filename()] == names
    content = pdf.get_content()
    assert isinstance(content, bytes)
    assert [len(page) for page in scan_codes(content)] == [1, 1]
    assert f"UID:{order.id}@onsale" in calendar.get_content()
    assert "Your tickets are attached." in sent.text


async def test_document_that_cannot_be_made_delays_the_mail(till: Till) -> None:
    order = await till.paid_order(await concert_for_sale(till, 10), 1)
    documents = AttachedDocuments(library_of(till, Press(fails=True)))
    async with open_mail_shop(till) as shop:
        await queue_mails(till.stores, [order])
        assert await shop.send(shop.make_worker(documents=documents)) == 0
        assert shop.server.accepted == []
        stored = await shop.stored(confirmation_id(order))
    assert (stored.attempts, stored.problem) == (1, "The process died 2 times")
