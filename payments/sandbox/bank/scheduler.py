"""Runs what the bank does later: it settles slow payments and refunds, and opens disputes."""

import asyncio
import logging

from payments.sandbox.bank import disputes, intents, refunds
from payments.sandbox.database import NotSaved
from payments.sandbox.errors import ApiError
from payments.sandbox.records import BankTask, Records

MAX_WAIT_S = 60.0

logger = logging.getLogger(__name__)


class BankScheduler:
    def __init__(self, records: Records) -> None:
        self._records = records
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look for due tasks now, because a task was added or the clock was moved."""
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            for task in self._records.take_bank_tasks():
                self._run_task(task)
            try:
                await self._records.database.saved()
            except NotSaved:
                logger.warning("The tasks of the bank were not saved; they run again.")
                continue
            due_at = self._records.next_bank_task_at()
            wait_s = MAX_WAIT_S if due_at is None else min(due_at - self._records.clock.now(), MAX_WAIT_S)
            try:
                async with asyncio.timeout(max(wait_s, 0.001)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _run_task(self, task: BankTask) -> None:
        document = self._records.find_any(task.document)
        assert document is not None
        try:
            match task.kind:
                case "settle":
                    intents.settle(self._records, document)
                case "dispute":
                    reason = intents.dispute_reason(document)
                    disputes.open_dispute(self._records, document, reason=reason)
                case "refund_success":
                    refunds.settle(self._records, document, succeeds=True)
                case "refund_failure":
                    refunds.settle(self._records, document, succeeds=False)
        except ApiError as error:
            # A test may have acted first, for example by refunding a payment that was to be
            # disputed.
            logger.info("The bank dropped the task %s of %s: %s", task.kind, task.document, error)
