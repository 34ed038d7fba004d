"""Random operations on real stores are answered by plans as by graphql-core."""

import logging
from collections.abc import AsyncIterator
from random import Random

import orjson
import pytest
import pytest_asyncio
from graphql import parse, validate

from auth.viewer import Role, Viewer
from proofs.plans.random_operations import RandomOperation, random_operation
from proofs.plans.random_values import TEXTS
from resolvers.context import Context, Resources
from schema import CORE_SCHEMA, DocumentRules, Engine, Operation, build_engine
from schema.plans.compile import Plan
from tests.support.plans import compile_always, record_plans
from tests.support.rights_world import PEOPLE, World, open_world
from tests.support.sale import PASSES
from tests.support.shop import TICKET_KEYS, Shop, new_key, person_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPEATABLE = ("joinQueue", "heartbeat", "claimQueuePass", "holdTickets", "releaseHold", "cancelTicketTransfer")
"""Mutations that may be repeated: the second answer is the same as the first."""
ATTEMPTS = 5
"""How often answers that differ are compared. Errors of fields that are read at the same time come
in the order in which the reads end. A plan that is wrong differs each time.
"""
MIN_EVIDENCE = 0.8
"""The share of answers that must not depend on the time, so that they can be compared."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shop: Shop) -> AsyncIterator[World]:
    yield await open_world(shop)


@pytest.fixture
def executed_by_plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that were executed, from the first use of each document on."""
    compile_always(monkeypatch)
    return record_plans(monkeypatch)


async def _answer(engine: Engine, operation: RandomOperation, context: Context) -> bytes:
    found = await engine.executor.execute(Operation(operation.text, operation.variables, None), context)
    return orjson.dumps([found.payload, found.was_executed, found.is_public])


def _texts(world: World) -> list[str]:
    concerts = (world.concert, world.plain, world.draft, world.canceled)
    tiers = [tier for concert in concerts for tier in concert.tiers]
    objects = [world.entry, world.hold, world.order, world.ticket, world.hidden_tier, world.pass_token]
    # Most operations name a concert.
    return [*[concert.id for concert in concerts] * 3, *tiers, *objects, new_key(), *TEXTS]


async def test_random_operations_get_the_answers_of_graphql_core(
    shop: Shop,
    world: World,
    executed_by_plans: list[Plan],
    pytestconfig: pytest.Config,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, logger="schema")
    wanted = pytestconfig.getoption("--plan-operations")
    random, texts = Random(pytestconfig.getoption("--plan-seed")), _texts(world)
    core, plans = build_engine(DocumentRules(compiles_plans=False)), build_engine(DocumentRules())
    resources = Resources(shop.stores, PASSES, ticket_keys=TICKET_KEYS)
    compared = timed = 0
    while compared < wanted:
        kind = random.choice(("query", "query", "query", "mutation"))
        roots = REPEATABLE if kind == "mutation" else None
        operation = random_operation(random, CORE_SCHEMA, kind, texts=texts, roots=roots)
        if validate(CORE_SCHEMA, parse(operation.text)):
            continue
        name, roles = random.choice([("", ()), *PEOPLE.values()])
        by = Viewer(person_id(name), name, f"{name}@onsale.example", frozenset(map(Role, roles))) if name else None
        before = len(executed_by_plans)
        outcomes: list[str] = []
        while len(outcomes) < ATTEMPTS and "equal" not in outcomes:
            expected = await _answer(core, operation, resources.context(by, "the-same"))
            found = await _answer(plans, operation, resources.context(by, "the-same"))
            again = expected if found == expected else await _answer(core, operation, resources.context(by, "the-same"))
            outcomes.append("equal" if found == expected else "timed" if again != expected else "different")
        assert set(outcomes) != {"different"}, (
            f"{operation} by {name or 'anonymous'}: {found!r} instead of {expected!r}"
        )
        if "equal" not in outcomes:
            timed += 1
            continue
        compared += len(executed_by_plans) > before
    assert timed <= compared * (1 - MIN_EVIDENCE)
