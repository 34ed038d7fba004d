"""Workers on real stores: concurrent workers, outages, and the command that runs workers."""

import asyncio
import signal

import pytest

from domain.errors import SoldOut
from domain.holds import Hold
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.hot_keys import advance_clock, end_grace, record_worker_run
from tests.support.sale import buy, check_invariants, hold, make_overdue, on_sale, opened, stock
from tests.support.store_copies import restart
from tests.support.waiting import wait_until
from tests.support.worker_steps import running_workers, start_command
from workers.expiry import ExpiryWorker
from workers.runner import ALL, Worker, run_forever


async def test_each_of_100_tickets_is_sold_once_while_many_workers_run(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as one,
        opened(valkey_url, mongo_url, mongo_database) as other,
        running_workers(one, valkey_url, *ALL, *ALL),
        running_workers(other, valkey_url, *ALL, *ALL),
    ):
        concert = await on_sale(one, 100)
        asking = [hold(stores, concert, 1, who=f"buyer{n}") for n in range(100) for stores in (one, other)]
        answers = await asyncio.gather(*asking, return_exceptions=True)
        winners = [answer for answer in answers if isinstance(answer, Hold)]
        assert len({winner.id for winner in winners}) == len(winners) == 100
        assert sum(isinstance(answer, SoldOut) for answer in answers) == 100
        await asyncio.gather(*[buy(other, winner) for winner in winners])
        assert await stock(one, concert) == [(0, 0, 100)]
        await check_invariants(one, concert)


async def test_concurrent_expiry_workers_release_each_hold_once(stores: Stores) -> None:
    concert = await on_sale(stores, 50, hold_duration_ms=1_000, limit_per_person=50)
    await ExpiryWorker().run_once(stores)
    await asyncio.gather(*[hold(stores, concert, 1) for _ in range(40)])
    await advance_clock(stores, concert, 1_001)
    await record_worker_run(stores, concert.id)
    runs = await asyncio.gather(*[ExpiryWorker().run_once(stores) for _ in range(4)])
    assert sum(runs) == 40
    assert await stock(stores, concert) == [(50, 0, 0)]
    await check_invariants(stores, concert)


async def test_workers_continue_after_an_outage(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 5, hold_duration_ms=1_000)
    async with running_workers(own_stores, own_valkey.url):
        await hold(own_stores, concert, 2)
        await restart(own_valkey)

        async def is_free() -> bool:
            try:
                return await stock(own_stores, concert) == [(5, 0, 0)]
            except Exception:
                return False

        # After a long outage, a grace period of one minute begins.
        await wait_until(is_free, timeout=90, what="the expiry after the outage")


class Faulty:
    """A worker that fails twice, then succeeds."""

    name = "faulty"
    interval_s = 0.0

    def __init__(self) -> None:
        self.runs = 0

    async def run_once(self, stores: Stores) -> int:
        self.runs += 1
        if self.runs < 3:
            raise RuntimeError("the database is unavailable")
        return 1


async def test_a_worker_continues_after_failures(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    worker = Faulty()
    check: Worker = worker
    running = asyncio.create_task(run_forever(check, stores))
    await wait_until(lambda: worker.runs > 3, what="the fourth run")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    lines = [record.message for record in caplog.records if record.name == "workers.runner"]
    assert [line.partition(" after ")[0] for line in lines] == [
        "worker faulty failed, trying again: the database is unavailable",
        "worker faulty works again",
    ]


async def test_the_command_runs_workers_until_sigterm(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    concert = await on_sale(stores, 5)
    made = await hold(stores, concert, 2)
    await stores.holds.begin_purchase(concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d")
    await make_overdue(stores, made)
    process = await start_command(
        "expiry",
        "settle",
        ONSALE_REDIS_URL=valkey_url,
        ONSALE_MONGO_URL=mongo_url,
        ONSALE_MONGO_DATABASE=mongo_database,
    )

    async def is_settled() -> bool:
        # The start of the process may have taken so long that a grace period has begun.
        await end_grace(stores, concert)
        return await stock(stores, concert) == [(5, 0, 0)]

    await wait_until(is_settled, what="the settlement")
    process.send_signal(signal.SIGTERM)
    assert (await process.communicate(), process.returncode)[1] == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["nosuch"], {}, "unknown worker nosuch"),
        (
            [],
            {"ONSALE_REDIS_URL": "", "ONSALE_MONGO_URL": "", "ONSALE_DATA_DIR": "/nonexistent"},
            "set ONSALE_REDIS_URL and ONSALE_MONGO_URL",
        ),
        ([], {"ONSALE_PORT": "many"}, "ONSALE_PORT is 'many'"),
    ],
)
async def test_the_command_reports_invalid_arguments_and_settings(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    process = await start_command(*arguments, **environment)
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert message in output.decode()
