"""Runs Hypothesis state machines on real stores."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from storage.connect import Stores

MODEL_TIMEOUT = pytest.mark.timeout(1_200)
"""A shorter timeout would be reported as a failing example if the machine is busy."""


class StoreMachine(RuleBasedStateMachine):
    """A machine whose runs use `stores` in the event loop of `runner`."""

    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[Stores]


def run_machine(
    machine: type[StoreMachine],
    opening: AbstractAsyncContextManager[Stores],
    *,
    examples: int,
    steps: int,
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Open the stores, call `prepare`, and run the machine."""
    with asyncio.Runner() as runner:
        machine.runner, machine.stores = runner, runner.run(opening.__aenter__())
        prepare()
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    deadline=None,
                    # Shrinking an example on real stores takes longer than a test may.
                    phases=[Phase.reuse, Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
