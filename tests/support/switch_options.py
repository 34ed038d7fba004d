"""The options `--holds` and `--http`, which run all tests with servers without batches of holds or
without the fast path. `--plans never` does the same for compiled plans.
"""

import pytest

from tests.support.switches import turn_off


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--holds", choices=("batched", "single"), default="batched", help="how holds are run in Redis")
    parser.addoption("--http", choices=("fast", "ordinary"), default="fast", help="the path of plain requests")
    parser.addoption("--http-examples", type=int, default=60, help="random connections on both paths of HTTP")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--holds") == "single":
        turn_off("BATCHED_HOLDS")
    if config.getoption("--http") == "ordinary":
        turn_off("HTTP_FAST_PATH")
