"""Four sets of workers and random traffic for five seconds. `make prove-room` does it for a minute and more."""

from tests.support.room_proof import Proof


async def test_four_workers_and_random_traffic_break_no_promise_of_a_room(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    findings = await Proof(valkey_url, mongo_url, mongo_database, seconds=5, a_minute=15, seed=1).run()
    assert findings.wrong == []
    assert findings.busiest_minute == 15, "the minute's cap was not reached: nothing was proven of it"
    assert findings.observed > 20
    assert findings.at_the_cap > 0
    assert findings.places > 300
