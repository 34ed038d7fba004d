"""Processes that render documents may die or hang at any time; no other document is lost."""

import asyncio
import errno
import logging
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.errors import TemporarilyUnavailable
from tests.support.ticket_documents import CODE, make_content, read_pages, scan_codes
from tests.support.waiting import wait_until
from tickets.documents import render_pool
from tickets.documents.render_pool import RenderFailed, RenderPool

pytestmark = pytest.mark.asyncio

NAME = "a document of order 1"


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[RenderPool]:
    made = RenderPool([], processes=2)
    yield made
    await made.aclose()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_process_renders_one_document_after_another(pool: RenderPool) -> None:
    assert pool.pids == []

    for name in ("Ada", "Bo"):
        pdf = await pool.render(make_content(holder=name), name=NAME)
        assert (name in read_pages(pdf)[0], scan_codes(pdf)) == (True, [[CODE]])
    assert len(pool.pids) == 1


async def test_documents_that_wait_together_are_not_mixed_up(pool: RenderPool) -> None:
    names = [f"Buyer {number}" for number in range(20)]
    pdfs = await asyncio.gather(*[pool.render(make_content(holder=name), name=NAME) for name in names])

    assert [read_pages(pdf)[0].split("\n")[9] for pdf in pdfs] == names
    assert len(pool.pids) == 2


async def test_document_is_made_even_if_its_process_is_killed(pool: RenderPool) -> None:
    await pool.render(make_content(), name=NAME)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)

    pdf = await pool.render(make_content(holder="Bo"), name=NAME)

    assert "Bo" in read_pages(pdf)[0]
    assert pid not in pool.pids


async def test_documents_are_made_even_if_processes_die(pool: RenderPool) -> None:
    rendering = [
        asyncio.create_task(pool.render(make_content(holder=f"Buyer {number}"), name=NAME)) for number in range(12)
    ]
    await wait_until(lambda: any(task.done() for task in rendering))
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)

    pdfs = await asyncio.gather(*rendering)
    assert [read_pages(pdf)[0].split("\n")[9] for pdf in pdfs] == [f"Buyer {number}" for number in range(12)]


async def test_document_that_cannot_be_rendered_fails_alone(
    pool: RenderPool, capfd: pytest.CaptureFixture[str]
) -> None:
    results = await asyncio.gather(
        pool.render(make_content(holder="Ada"), name=NAME),
        pool.render(make_content(code="secret, and not a code"), name="a document of order 2"),
        pool.render(make_content(holder="Bo"), name=NAME),
        return_exceptions=True,
    )

    assert isinstance(results[1], RenderFailed)
    assert str(results[1]) == "The process that rendered a document of order 2 died 2 times: it ended with 1"
    assert [isinstance(result, bytes) for result in results] == [True, False, True]
    written = capfd.readouterr().err
    assert written.count("ValueError in a process that renders documents:") == 2
    assert "secret" not in written


async def test_process_that_hangs_is_replaced_and_the_next_one_answers(pool: RenderPool) -> None:
    hanging = RenderPool([], processes=1, within_s=0.001)
    with pytest.raises(RenderFailed, match=r"died 2 times: it gave no answer within 0\.001 s"):
        await hanging.render(make_content(), name=NAME)
    assert hanging.pids == []
    await hanging.aclose()

    assert scan_codes(await pool.render(make_content(), name=NAME)) == [[CODE]]


async def test_document_of_a_canceled_caller_is_not_given_to_the_next_one() -> None:
    pool = RenderPool([], processes=1)
    await pool.render(make_content(), name=NAME)
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)
    canceled = asyncio.create_task(pool.render(make_content(holder="Ada"), name=NAME))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    canceled.cancel()
    await asyncio.gather(canceled, return_exceptions=True)
    assert not is_running(pid)

    pdf = await pool.render(make_content(holder="Bo"), name=NAME)

    assert "Bo" in read_pages(pdf)[0]
    await pool.aclose()


async def test_too_many_waiting_documents_are_refused(pool: RenderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_pool, "MAX_WAITING", 3)
    results = await asyncio.gather(*[pool.render(make_content(), name=NAME) for _ in range(8)], return_exceptions=True)

    refused = [result for result in results if isinstance(result, TemporarilyUnavailable)]
    assert (len(refused), sum(isinstance(result, bytes) for result in results)) == (3, 5)


async def test_failed_start_of_a_process_is_tried_again_later(
    pool: RenderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "create_subprocess_exec", fail)
        for _ in range(3):  # One more than there are processes.
            with pytest.raises(TemporarilyUnavailable) as refused:
                await pool.render(make_content(holder="Ada"), name=NAME)
            assert refused.value.retry_after_s == 5
    assert scan_codes(await pool.render(make_content(holder="Ada"), name=NAME)) == [[CODE]]


async def test_closed_pool_leaves_no_process() -> None:
    pool = RenderPool([], processes=2)
    await asyncio.gather(*[pool.render(make_content(), name=NAME) for _ in range(4)])
    pids = pool.pids
    await pool.aclose()

    assert len(pids) == 2
    assert [pid for pid in pids if is_running(pid)] == []


async def test_uncovered_characters_are_logged_without_the_name(
    pool: RenderPool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await pool.render(make_content(holder="Secret \ufdd0\ufdd1"), name=NAME)

    assert [record.getMessage() for record in caplog.records] == [
        "no font covers U+FDD0, U+FDD1, shown as a box in a document of order 1; install fonts or set ONSALE_FONT_DIRS"
    ]


async def test_rendering_process_has_none_of_our_settings(pool: RenderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONSALE_PAYMENT_SECRET_KEY", "sk_secret")
    await pool.render(make_content(), name=NAME)
    (pid,) = pool.pids

    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: ASYNC230 - procfs answers at once
        assert b"ONSALE_" not in file.read()
