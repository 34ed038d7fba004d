"""The option `--plans`: run all tests with plans from the first use on, or without plans."""

from typing import Any

import pytest

from schema.plans import document_plans
from schema.plans.compile import Plan
from schema.plans.document_plans import PlanCompiler

# As they are before an option changes them.
_USES, _INTERVAL_S, _MAY_BEGIN = document_plans.USES, document_plans.COMPILE_INTERVAL_S, PlanCompiler.may_begin
_SHARE = document_plans.MAX_COMPILING_SHARE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--plans",
        choices=("usual", "always", "never"),
        default="usual",
        help="compile operations on their second use, on their first use, or never",
    )
    parser.addoption("--plan-operations", type=int, default=60, help="random operations on real stores")
    parser.addoption("--plan-seed", type=int, default=1, help="the seed of the random operations")


def pytest_configure(config: pytest.Config) -> None:
    choice = config.getoption("--plans")
    if choice == "always":
        compile_always(pytest.MonkeyPatch())
    elif choice == "never":
        compile_never(pytest.MonkeyPatch())


def compile_usually(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile as in a server, whatever the option says."""
    monkeypatch.setattr(document_plans, "USES", _USES)
    monkeypatch.setattr(document_plans, "COMPILE_INTERVAL_S", _INTERVAL_S)
    monkeypatch.setattr(document_plans, "MAX_COMPILING_SHARE", _SHARE)
    monkeypatch.setattr(PlanCompiler, "may_begin", _MAY_BEGIN)


def compile_always(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_usually(monkeypatch)
    monkeypatch.setattr(document_plans, "USES", 1)
    monkeypatch.setattr(document_plans, "COMPILE_INTERVAL_S", 0.0)
    monkeypatch.setattr(document_plans, "MAX_COMPILING_SHARE", 1.0)


def compile_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlanCompiler, "may_begin", lambda _: False)


def record_plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Return a list to which each executed plan is added."""
    executed: list[Plan] = []
    execute = Plan.execute

    async def record(self: Plan, *given: Any) -> Any:
        executed.append(self)
        return await execute(self, *given)

    monkeypatch.setattr(Plan, "execute", record)
    return executed
