"""The SQLite database of the sandbox, with group commit.

The changes of all requests that arrive in one turn of the event loop share one transaction, and no
request is answered before that transaction is on disk.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

Value = str | int | float | bytes | None

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    intent TEXT, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_kind ON documents (kind, created);
CREATE INDEX IF NOT EXISTS documents_by_intent ON documents (intent, kind);
CREATE TABLE IF NOT EXISTS keys (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, path TEXT NOT NULL, digest BLOB NOT NULL,
    request_id TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL, used_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS keys_by_age ON keys (used_at);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY, event TEXT NOT NULL, tries INTEGER NOT NULL, due_at REAL NOT NULL,
    first_at REAL NOT NULL, problem TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (due_at);
CREATE TABLE IF NOT EXISTS bank_tasks (
    number INTEGER PRIMARY KEY, due_at REAL NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS bank_tasks_by_time ON bank_tasks (due_at);
CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, intent TEXT NOT NULL,
    source TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, metadata BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

logger = logging.getLogger(__name__)


class NotSaved(Exception):
    """The changes of a request are lost, as are the changes of all requests in the same
    transaction.
    """


class Database:
    """One connection, used by one event loop. While it is open, no other process can open the
    file.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = FULL",
            "wal_autocheckpoint = 10000",
        ):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        self._waiting: list[asyncio.Future[None]] = []

    def read(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run a statement in the transaction of this turn; return the number of changed rows."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_soon(self._commit)
        return self._connection.execute(statement, values).rowcount

    async def saved(self) -> None:
        """Wait until everything that was read or written so far is on disk. Raises NotSaved."""
        if self._connection.in_transaction:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def roll_back(self) -> None:
        """Drop the transaction of this turn, because one of its requests failed halfway."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._end_waiting(NotSaved("a request in the same transaction failed"))

    def close(self) -> None:
        if self._connection.in_transaction:
            self._commit()
        self._connection.close()

    def _commit(self) -> None:
        if not self._connection.in_transaction:  # rolled back, or committed by close
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            logger.exception("The database could not be written.")
            self.roll_back()
            self._end_waiting(NotSaved(str(error)))
        else:
            self._end_waiting(None)

    def _end_waiting(self, error: NotSaved | None) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
