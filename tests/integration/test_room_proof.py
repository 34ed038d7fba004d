"""Runs the same proof as `make prove-room`, for five seconds, or longer on a slow machine."""

import pytest

from proofs.waiting_room.findings import Findings
from proofs.waiting_room.proof import Proof

USERS_PER_MINUTE = 15


def is_enough(findings: Findings) -> bool:
    return (
        findings.observed > 20
        and findings.entries > 300
        and findings.busiest_minute >= USERS_PER_MINUTE
        and findings.at_the_cap > 0
    )


@pytest.mark.timeout(600)
async def test_four_sets_of_workers_and_random_traffic_violate_no_rule(
    valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    proof = Proof(valkey_url, mongo_url, mongo_database, 5, USERS_PER_MINUTE, seed=1, is_enough=is_enough)
    findings = await proof.run()
    assert findings.violations == []
    assert is_enough(findings), "there was too little traffic for a proof"
    assert findings.busiest_minute == USERS_PER_MINUTE, "more people were called in a minute than the limit allows"
