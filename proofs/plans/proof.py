"""Proves that the plans of random operations answer as graphql-core does."""

import asyncio
from dataclasses import dataclass
from random import Random

import graphql
from graphql import parse, validate

from proofs.plans.comparison import build_core, compare, compile_for, execute_by_core, write_outcome
from proofs.plans.random_operations import RandomOperation, random_operation
from proofs.plans.random_schema import CONTEXT, RandomWorld
from schema.execution.input_bounds import INPUT_BOUNDS
from schema.execution.literal_values import RULES
from schema.plans.variables import InputCoercers

_KINDS = ("query", "query", "query", "mutation", "subscription")


@dataclass
class Counts:
    operations: int = 0
    """Valid operations that were executed by graphql-core and by a plan."""
    failed: int = 0
    """Those whose answers have errors."""
    refused: int = 0
    """Valid operations whose variables graphql-core has to judge."""
    uncompiled: int = 0
    invalid: int = 0

    def __str__(self) -> str:
        return (
            f"{self.operations} operations with equal answers, {self.failed} of them with errors;"
            f" left to graphql-core: {self.refused} for their variables, {self.uncompiled} for their size"
        )


async def prove_operations(seed: int, operations: int, counts: Counts) -> None:
    """Compare that many operations on one generated schema. Raises Different."""
    random = Random(seed)
    world = RandomWorld(seed, errors=random.choice([0, 0.01, 0.04, 0.15]))
    coercers = InputCoercers(INPUT_BOUNDS)
    wanted = counts.operations + operations
    while counts.operations < wanted:
        operation = random_operation(random, world.schema, random.choice(_KINDS))
        await _prove(world, operation, coercers, counts, seed)


async def _prove(
    world: RandomWorld, operation: RandomOperation, coercers: InputCoercers, counts: Counts, seed: int
) -> None:
    document = parse(operation.text)
    if validate(world.schema, document, RULES):
        counts.invalid += 1
        return
    raw = operation.variables
    root = world.root(operation.text.partition(" ")[0])
    compiled = compile_for(world.schema, document, raw, coercers, world.type_name_of)
    execution = build_core(world.schema, document, root, CONTEXT, raw)
    if compiled.plan is None or compiled.variables is None:
        counts.uncompiled += isinstance(execution, graphql.Executor)
        counts.refused += not isinstance(execution, graphql.Executor)
        return

    def make_core() -> "graphql.Executor[object]":
        built = build_core(world.schema, document, root, CONTEXT, raw)
        assert isinstance(built, graphql.Executor)
        return built

    by_core = await execute_by_core(world.schema, document, root, CONTEXT, raw)
    await _end_background_tasks()
    world.close_coroutines()
    expected = write_outcome(by_core, world.calls)
    result = await compiled.plan.execute(root, CONTEXT, compiled.variables, make_core)
    await _end_background_tasks()
    world.close_coroutines()
    found = write_outcome(result, world.calls)
    compare(expected, found, operation.text, raw, lambda: f"seed {seed}, errors {world.errors}:")
    if not isinstance(execution, graphql.Executor) or execution.variable_values.coerced != compiled.variables:
        raise AssertionError(f"{raw} is coerced to {compiled.variables} for\n{operation.text}")
    counts.operations += 1
    counts.failed += bool(result.errors)


async def _end_background_tasks() -> None:
    """Wait for what an execution left behind when a null took the place of a whole object."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
