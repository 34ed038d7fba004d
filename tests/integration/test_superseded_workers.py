"""Workers at an old primary leave a concert alone that another store has taken over."""

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.holds import Hold
from domain.ids import ConcertId, OrderId
from storage import scripts
from storage.connect import Stores
from storage.hot.script_client import ScriptClient
from storage.scripts import Script
from tests.support.databases import DatabasePool
from tests.support.sale import buy, hold, make_overdue, stock
from tests.support.split_brain import Pair, split, until_refused
from tests.support.unpaid_orders import begin
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker
from workers.history import HistoryWorker
from workers.settle import SettleWorker

COPYING = {"apply_concert", "record_order", "find_unrecorded"}
WITH_CONCERT = [script for script in scripts.ALL if script.takes_incarnation or script.name == "claim_events"]
REFUSED = [script for script in WITH_CONCERT if script.name not in COPYING]
WITH_EPOCH = [script for script in scripts.ALL if "epoch" in script.args]


pytestmark = pytest.mark.usefixtures("always_read")


async def test_workers_do_not_settle_a_purchase_of_the_new_primary(pair: Pair, databases: DatabasePool) -> None:
    """Failing value before: a VOID order ended the purchase, which goes on at the new primary."""
    begun: list[Hold] = []

    async def begin_purchase(stores: Stores, concert: Concert) -> None:
        begun.append(await begin(stores, await hold(stores, concert, 4, who="bob")))

    async with split(pair, databases, before=begin_purchase) as (two, concert):
        (made,) = begun
        await until_refused(two.left, concert)
        await make_overdue(two.left, made)
        for worker in (SettleWorker(), ExpiryWorker(), AdmissionWorker(), HistoryWorker()):
            with pytest.raises(TemporarilyUnavailable, match="Another stock store"):
                await worker.run_for(two.left, concert.id)
        assert await two.right.orders.get(OrderId(made.id)) is None
        await buy(two.right, made)
        assert await stock(two.right, concert) == [(12, 0, 8)]


@pytest.mark.parametrize("script", REFUSED, ids=lambda script: script.name)
async def test_script_is_refused_for_a_superseded_concert(valkey_url: str, script: Script) -> None:
    client = ScriptClient(valkey_url)
    client.refuse_if(lambda _: True)
    arguments = script.args[1:] if script.takes_incarnation else script.args
    with pytest.raises(TemporarilyUnavailable, match="Another stock store has taken over this concert"):
        await client.call(script, ConcertId("c1"), *["" for _ in arguments])
    await client.aclose()


@pytest.mark.parametrize("script", WITH_EPOCH, ids=lambda script: script.name)
def test_script_with_an_epoch_belongs_to_a_recovery(script: Script) -> None:
    names = script.args[1:] if script.takes_incarnation else script.args
    assert script.is_for_recovery(["7" if name == "epoch" else "" for name in names])
    assert script.is_for_recovery(["" for _ in names]) is (script.name in COPYING)
