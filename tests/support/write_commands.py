"""Counts the write commands that a MongoDB server receives."""

from storage.mongo.client import Database


async def count_write_commands(database: Database) -> int:
    """Return the number of inserts, updates and other writes since the server started. All writes
    of one command count as one.
    """
    status = await database.command("serverStatus")
    commands = status["metrics"]["commands"]
    return sum(commands[name]["total"] for name in ("insert", "update", "delete", "findAndModify"))
