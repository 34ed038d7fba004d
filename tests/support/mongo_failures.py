"""Makes MongoDB commands fail, using MongoDB's fail points."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import MongoClient


@asynccontextmanager
async def failing(
    mongo_url: str, times: int, *, commands: tuple[str, ...] = ("insert",), **failure: Any
) -> AsyncIterator[None]:
    """Make the next `times` commands from Onsale's client fail."""
    data = {"failCommands": list(commands), "appName": "onsale", **failure}
    with MongoClient[dict[str, Any]](mongo_url) as control:
        control.admin.command("configureFailPoint", "failCommand", mode={"times": times}, data=data)
        try:
            yield
        finally:
            control.admin.command("configureFailPoint", "failCommand", mode="off")
