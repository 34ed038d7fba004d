"""Changes a concert's keys in the hot store, for example to move its clock instead of waiting."""

from domain.concerts import Concert
from domain.ids import ConcertId
from storage.connect import Stores
from storage.keys import KINDS, concert_keys


def concert_key(concert: Concert, kind: str) -> str:
    return concert_keys(concert.id)[KINDS.index(kind)]


async def advance_clock(stores: Stores, concert: Concert, ms: int) -> None:
    """Move the concert's clock forward by `ms`, or back if `ms` is negative."""
    await stores.script_client.run_command("HINCRBY", concert_key(concert, "state"), "now_ms", str(ms))


async def record_worker_run(stores: Stores, concert_id: ConcertId) -> None:
    """Record that the workers ran just now.

    Otherwise, the seconds that a busy machine has spent since their last run might count as an
    outage.
    """
    run, state = stores.script_client.run_command, concert_keys(concert_id)[KINDS.index("state")]
    seconds, microseconds = await run("TIME")
    clock_ms = int(seconds) * 1_000 + int(microseconds) // 1_000
    now_ms = max(clock_ms, int(await run("HGET", state, "now_ms")))
    await run("HSET", state, "worker_ms", str(now_ms))


async def make_due(stores: Stores, concert: Concert, kind: str, *members: str) -> None:
    """Move the deadlines of these members into the past."""
    pairs = [word for member in members for word in ("1", member)]
    await stores.script_client.run_command("ZADD", concert_key(concert, kind), "XX", *pairs)


async def replace_incarnation(stores: Stores, concert: Concert, incarnation: str = "another") -> None:
    """Make the store look as if it had restarted or failed over."""
    await stores.script_client.run_command("HSET", concert_key(concert, "state"), "incarnation", incarnation)


async def end_grace(stores: Stores, concert: Concert) -> None:
    """End the grace period after an outage; a delay on a busy machine can also start one."""
    await stores.script_client.run_command("HSET", concert_key(concert, "state"), "grace_until_ms", "0")
