"""The shop's pages in Chromium, on a server with its stores that the tests of a module share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.page_stories import Site, open_site

IN_MAKE_TEST = "test_short_journey.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--pages"):
        return
    long = pytest.mark.skip(reason="long: make test-pages runs it")
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name != IN_MAKE_TEST:
            item.add_marker(long)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(tmp_path_factory.mktemp("pages")) as opened:
        yield opened
