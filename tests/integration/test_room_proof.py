"""The proof of `make prove-room` for five seconds."""

from proofs.waiting_room.proof import Proof


async def test_four_workers_and_random_traffic_violate_no_rule(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    findings = await Proof(valkey_url, mongo_url, mongo_database, seconds=5, users_per_minute=15, seed=1).run()
    assert findings.violations == []
    assert findings.busiest_minute == 15, "the cap per minute was not reached, so it was not proven"
    assert findings.observed > 20
    assert findings.at_the_cap > 0
    assert findings.entries > 300
