"""A run for several holds that fails at any of its commands changes nothing, and its concert is
recovered if it had begun to write.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from domain.errors import TemporarilyUnavailable
from domain.holds import EndReason, Hold
from domain.ids import PersonId
from domain.limits.rates import CallRates, Rate
from storage import scripts
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot.script_client import ScriptClient
from tests.support.hold_batches import BatchShop, HoldCall, Refusal, make_concert
from tests.support.hot_keys import concert_key
from tests.support.sale import check_invariants, hold, on_sale, stock
from tests.support.store_copies import until_trusted

FIRED = "onsale2:fired"
FAIL_ONCE = """
local store, count = redis, 0
local redis = setmetatable({call = function(...)
  count = count + 1
  if count == %d and not store.call('GET', '%s') then
    store.call('SET', '%s', ..., 'EX', 600)
    error({err = 'ERR injected'})
  end
  return store.call(...)
end}, {__index = store})
"""
"""A prefix for a script: its nth command fails, the first time that a run has so many."""

Arm = Callable[[int], Awaitable[None]]
RATES = CallRates(Rate(20, 600), Rate(60, 600))
BATCH = (
    HoldCall("ann", 1),
    HoldCall("ben", 2, ((1, 2), (2, 1)), rates=RATES, address="203.0.113.7"),
    HoldCall("cleo", 3, ((2, 99),)),
    HoldCall("dan", 4, ((2, 2),), rates=RATES),
    HoldCall("ben", 5, ((1, 1),), rates=RATES, address="203.0.113.7"),
)


@pytest_asyncio.fixture
async def client(valkey_url: str) -> AsyncIterator[ScriptClient]:
    made = ScriptClient(valkey_url)
    yield made
    await made.aclose()


async def open_shop(client: ScriptClient) -> BatchShop:
    """Return a shop with a hold of ann and one of ben, and with returned units of both tiers."""
    shop = BatchShop(client, make_concert(9, 7))
    await shop.open()
    calls = [HoldCall("ann", 1), HoldCall("ben", 1, ((1, 1), (2, 1))), HoldCall("eve", 1, ((1, 2), (2, 2)))]
    assert all(isinstance(answer, Hold) for answer in await shop.hold_in_batch(calls))
    await shop.holds.release(shop.concert.id, calls[2].hold_id, person_id=PersonId("eve"), reason=EndReason.RELEASED)
    return shop


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the nth command of the next run that has so many fail; 0 for none."""
    load = scripts.load

    def patch(number: int) -> None:
        script = scripts.HOLD_TICKETS
        with monkeypatch.context() as patched:
            patched.setattr(scripts, "load", lambda name: FAIL_ONCE % (number, FIRED, FIRED) + load(name))
            failing = scripts.Script(script.name, script.args, script.replies)
        monkeypatch.setattr(scripts, "HOLD_TICKETS", failing)

    return patch


async def test_run_that_fails_at_any_command_leaves_no_trace(
    client: ScriptClient, fail_at: Callable[[int], None]
) -> None:
    reference = await open_shop(client)
    expected = [_shape(answer) for answer in await reference.hold_one_by_one(BATCH)]
    assert [kind for kind, *_ in expected] == ["Hold", "Hold", "LimitExceeded", "Hold", "Hold"]
    retried, undone = list[int](), list[str]()
    for number in range(1, 100):
        shop = await open_shop(client)
        before = await shop.read_state()
        await client.run_command("DEL", FIRED)
        fail_at(number)
        answers = await shop.hold_in_batch(BATCH)
        command = await client.run_command("GET", FIRED)
        fail_at(0)
        if command is None:
            break
        if await shop.run("HGET", "state", "incarnation"):
            retried.append(number)
            assert [_shape(answer) for answer in answers] == expected
            assert await shop.version() > 0
        else:
            undone.append(command.decode())
            assert [kind for kind, *_ in map(_shape, answers)] == ["TemporarilyUnavailable"] * len(BATCH)
            assert _without_traces(await shop.read_state()) == _without_traces(before)
    # All reads come before the first write, which changes nothing either if it fails.
    assert retried == list(range(1, len(retried) + 1))
    assert len(retried) > 10
    assert undone == ["ZREM", "HSET", "HSET", "ZADD", "HSET", "HSET", "ZADD", "HSETNX", "ZADD"]


def _shape(answer: object) -> tuple[object, ...]:
    """Return what two shops have in common in an answer."""
    if isinstance(answer, Refusal):
        return answer.kind, answer.details
    assert isinstance(answer, Hold)
    numbers = [unit.rpartition("-")[2] for unit in answer.units]
    return "Hold", answer.id, numbers, [(line.quantity, line.unit_price_minor) for line in answer.lines]


def _without_traces(state: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Leave out what may differ although no hold was made: people to read again."""
    rest = {kind: values for kind, values in state.items() if kind != "changes"}
    return rest | {"state": {k: v for k, v in state["state"].items() if k not in ("incarnation", "hinted")}}


async def test_concert_of_an_unfinished_run_is_recovered(
    stores: Stores, fail_at: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    concert = await on_sale(stores, 50)
    kept = await hold(stores, concert, 2, who="keeper")
    epoch = (await stores.holds.read_stock(concert)).epoch
    undone = 0
    for number in range(1, 100):
        await stores.script_client.run_command("DEL", FIRED)
        fail_at(number)
        people = [f"buyer{number}-{n}" for n in range(3)]
        answers = await asyncio.gather(
            *[hold(stores, concert, 1, who=who, with_key="k") for who in people], return_exceptions=True
        )
        if await stores.script_client.run_command("GET", FIRED) is None:
            break
        if isinstance(answers[0], TemporarilyUnavailable):
            undone += 1
            await until_trusted(stores, concert.id)
            await check_invariants(stores, concert)
        fail_at(0)
        made = await asyncio.gather(*[hold(stores, concert, 1, who=who, with_key="k") for who in people])
        assert len({unit for one in made for unit in one.units}) == 3
        await asyncio.gather(*[stores.holds.release(concert.id, one.id, person_id=one.person_id) for one in made])
    assert undone > 5
    assert caplog.text.count("hold_tickets failed after its first write") == undone
    assert (await stores.holds.read_stock(concert)).epoch > epoch
    assert await stores.holds.get(concert.id, kept.id) == kept
    await check_invariants(stores, concert)


async def test_wrong_type_found_while_writing_is_undone(stores: Stores) -> None:
    concert = await on_sale(stores, 9)
    await stores.script_client.run_command("SET", concert_key(concert, "deadlines"), "not a set", "EX", "600")
    answers = await asyncio.gather(
        *[hold(stores, concert, 1, who=f"buyer{n}") for n in range(3)], return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {TemporarilyUnavailable}
    await stores.script_client.run_command("DEL", concert_key(concert, "deadlines"))
    await until_trusted(stores, concert.id)
    assert await stock(stores, concert) == [(9, 0, 0)]
    assert (await hold(stores, concert, 9)).units
    await check_invariants(stores, concert)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("name", "wrong", "right"), [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")])
async def test_store_that_refuses_writes_refuses_holds_for_now(
    own_valkey: ServerProcess, count: int, name: str, wrong: str, right: str
) -> None:
    """Failing value before, in a full store: a ResponseError, which clients get as INTERNAL."""
    client = ScriptClient(own_valkey.url)
    shop = await open_shop(client)
    calls = [HoldCall(f"person{number}", 7) for number in range(count)]
    await client.run_command("CONFIG", "SET", name, wrong)
    refused = await shop.hold_in_batch(calls)
    assert [type(answer) is Refusal and answer.kind for answer in refused] == ["TemporarilyUnavailable"] * count
    await client.run_command("CONFIG", "SET", name, right)
    assert all(isinstance(answer, Hold) for answer in await shop.hold_in_batch(calls))
    await client.aclose()
