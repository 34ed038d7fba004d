"""The class of docs/frontend.md that keeps the newest fields of the objects in answers."""

from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest

from tests.support.node import installed, output_of

pytestmark = pytest.mark.timeout(600)  # the first run installs the packages

CACHES = Path(__file__).parent / "caches"
Answer: TypeAlias = dict[str, Any]


def tier(version: int, *, epoch: int = 1, **fields: object) -> Answer:
    return {"tier": {"id": "T", "version": version, "epoch": epoch, **fields}}


def concert(**fields: object) -> Answer:
    return {"concert": {"id": "C", **fields}}


def stock(version: int, **fields: object) -> Answer:
    return {"version": version, "epoch": 1, **fields}


HOLD = {"id": "H", "version": 6, "epoch": 1, "state": "HELD"}
NEXT_HOLD = {"id": "I", "version": 8, "epoch": 1, "state": "HELD"}
PAGE_1, PAGE_2 = ({"pageInfo": {}, "nodes": [{"id": name}]} for name in ("a1", "a2"))
CASES: dict[str, tuple[list[Answer], Answer]] = {
    "a newer answer is kept": ([tier(5, sold=1), tier(6, sold=2)], tier(6, sold=2)),
    "an older answer shows the newer fields": ([tier(6, sold=2), tier(5, sold=1)], tier(6, sold=2)),
    "a field that no newer answer has is kept": (
        [tier(6, sold=2), tier(5, sold=1, held=4)],
        tier(6, sold=2, held=4),
    ),
    "each field has the version of its answer": (
        [tier(5, held=3), tier(7, sold=2), tier(6, held=4, sold=1)],
        tier(7, held=4, sold=2),
    ),
    "a lower version in a higher epoch is newer": (
        [tier(9, sold=2), tier(1, epoch=2, sold=1)],
        tier(1, epoch=2, sold=1),
    ),
    "a higher version in a lower epoch is older": (
        [tier(1, epoch=2, sold=1), tier(9, sold=2)],
        tier(1, epoch=2, sold=1),
    ),
    "a value that was removed stays removed": ([tier(6, zone=None), tier(5, zone="B")], tier(6, zone=None)),
    "a part of a field keeps its selection": (
        [tier(6, price={"minor": 2}), tier(5, price={"minor": 1, "currency": "EUR"})],
        tier(6, price={"minor": 2, "currency": "EUR"}),
    ),
    "a stock is compared with that of its concert": (
        [concert(stock=stock(6, soldOut=True)), concert(name="x", stock=stock(5, soldOut=False))],
        concert(name="x", stock=stock(6, soldOut=True)),
    ),
    "stocks of two concerts are not compared": (
        [concert(stock=stock(6, soldOut=True)), {"concert": {"id": "D", "stock": stock(5, soldOut=False)}}],
        {"concert": {"id": "D", "stock": stock(5, soldOut=False)}},
    ),
    "a stock without a concert that has an id is kept": (
        [{"stockChanged": stock(6)}, {"stockChanged": stock(5)}],
        {"stockChanged": stock(5)},
    ),
    "an older concert does not make its tiers older": (
        [
            concert(version=3, epoch=0, tiers=[tier(5, sold=1)["tier"]]),
            tier(9, sold=4),
            concert(version=2, epoch=0, tiers=[tier(8, sold=3)["tier"]]),
        ],
        concert(version=3, epoch=0, tiers=[tier(9, sold=4)["tier"]]),
    ),
    "a list is replaced as a whole": (
        [tier(6, links=[{"url": "a"}, {"url": "b"}]), tier(5, links=[{"url": "c"}])],
        tier(6, links=[{"url": "a"}, {"url": "b"}]),
    ),
    "pages of a list are not compared": (
        [tier(6, audit=PAGE_2), tier(5, audit=PAGE_1)],
        tier(6, audit=PAGE_1),
    ),
    "a hold is shown after an older answer without it": (
        [concert(myHold=HOLD), concert(myHold=None, stock=stock(5))],
        concert(myHold=HOLD, stock=stock(5)),
    ),
    "a hold is not shown after a newer answer without it": (
        [concert(myHold=HOLD), concert(myHold=None, stock=stock(7))],
        concert(myHold=None, stock=stock(7)),
    ),
    "an older hold does not replace a newer one": (
        [concert(myHold=NEXT_HOLD), concert(myHold=HOLD)],
        concert(myHold=NEXT_HOLD),
    ),
    "an unknown version is kept": (
        [tier(6, sold=2), {"tier": {"id": "T", "version": None, "epoch": None, "sold": None}}],
        {"tier": {"id": "T", "version": None, "epoch": None, "sold": None}},
    ),
}


async def test_no_field_becomes_older() -> None:
    directory = await installed(CACHES, for_what="the class that keeps the newest was not tested")
    given = orjson.dumps([answers for answers, _ in CASES.values()]).decode()
    printed = orjson.loads(await output_of("node", "newest-cases.mjs", given, directory=directory))
    assert dict(zip(CASES, printed, strict=True)) == {name: expected for name, (_, expected) in CASES.items()}
