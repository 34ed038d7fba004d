"""The proof of faults in the stores, in a short version, and its judgment."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from domain.ids import OrderId
from proofs.store_faults.faults import FAULTS, Fault, Servers
from proofs.store_faults.proof import Outcome, prove
from tests.support.store_servers import running
from tests.support.stores import mongod, redis7
from tests.support.wrong_stores import small_disk

DISK_MEGABYTES = 64
RIGHT = Outcome(
    fault="none",
    problem="Redis is full",
    ready_after_s=0.1,
    people=0,
    retries=3,
    receipts=[],
    orders=[],
    disagreements=[],
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Servers that the tests break and mend again. The append-only file is on a small disk."""
    directory = tmp_path_factory.mktemp("faults")
    with small_disk(directory / "disk", megabytes=DISK_MEGABYTES) as disk:
        async with (
            running(redis7(disk, options=("--appendfsync", "everysec"))) as redis,
            running(mongod(directory / "mongod")) as database,
        ):
            yield Servers(redis, database, disk)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_fault_is_named_loses_nothing_and_heals_by_itself(servers: Servers, fault: Fault) -> None:
    assert list((await prove(servers, "proof", fault, seconds=0.0)).violations()) == []


def test_right_outcome_has_no_violation() -> None:
    assert list(RIGHT.violations()) == []


@pytest.mark.parametrize(
    ("wrong", "violation"),
    [
        (replace(RIGHT, problem=None), "the server did not name the fault"),
        (replace(RIGHT, ready_after_s=None), "the sale did not continue within 60 s after the fault"),
        (replace(RIGHT, people=1), "1 people came, and 0 have a ticket"),
        (
            replace(RIGHT, people=1, receipts=[OrderId("lost")]),
            "order lost was confirmed and is not recorded",
        ),
        (replace(RIGHT, disagreements=["unit 1 is in 2 orders"]), "unit 1 is in 2 orders"),
    ],
)
def test_each_wrong_outcome_is_a_violation(wrong: Outcome, violation: str) -> None:
    assert list(wrong.violations()) == [violation]
