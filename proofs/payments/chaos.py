"""Kills processes at random moments, and makes the sandbox fail, until it is canceled."""

import asyncio
import random
from collections import Counter

from bench.clients.console import write_status
from proofs.payments.bank import Bank
from proofs.payments.servers import Servers, start_crashing
from storage.embedded.process import ServerProcess

PAUSE_S = (0.5, 2.0)
POLL_S = 0.1
FAULTS = (
    ("error_after", "create_intent"),
    ("error_after", "create_refund"),
    ("error_after", "cancel_intent"),
    ("error_before", "create_intent"),
    ("error_before", "create_refund"),
    ("cut", "create_intent"),
    ("cut", "create_refund"),
    ("unavailable", ""),
    ("down", ""),
    ("nonsense", ""),
    ("rate_limit", ""),
    ("slow_answer", "create_intent"),
    ("slow", "create_refund"),
)
"""The faults, each with the operation that it affects. An empty name means every operation."""
SLOW_S = 4.0
"""Longer than the time for which a purchase waits for its intent."""
REPEATED_EVENTS = 30
REQUESTS_PER_FAULT = (1, 20)


class Chaos:
    def __init__(self, servers: Servers, bank: Bank, seed: int) -> None:
        self._servers = servers
        self._bank = bank
        self._chance = random.Random(f"chaos:{seed}")
        self._next_kills: list[ServerProcess] = []
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        """Do one thing after another. A killed process is always started again."""
        while True:
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))
            if self._chance.random() < 0.5:
                await asyncio.shield(self._kill(self._next_kill()))
            else:
                await self._disturb()

    async def keep_running(self, server: ServerProcess) -> None:
        """Start a server again each time it kills itself."""
        while True:
            if server.exit_code is not None:
                await asyncio.shield(start_crashing(server))
            await asyncio.sleep(POLL_S)

    def _next_kill(self) -> ServerProcess:
        """Return a random server, but no server for a second time before all have been killed."""
        if not self._next_kills:
            self._next_kills = self._chance.sample(self._servers.others, k=len(self._servers.others))
        return self._next_kills.pop()

    async def _kill(self, server: ServerProcess) -> None:
        self.done[f"kills of {server.name}"] += 1
        write_status(f"killing {server.name} with kill -9\n")
        await server.kill()
        await server.start()

    async def _disturb(self) -> None:
        match self._chance.randrange(6):
            case 0:
                self.done["keys forgotten"] += 1
                await self._bank.forget_keys()
            case 1:
                self.done["webhooks doubled"] += 1
                await self._bank.duplicate_webhooks(self._chance.randint(1, 20))
            case 2 | 3:
                self.done["webhooks sent again, in any order"] += 1
                events = await self._bank.newest_events()
                chosen = self._chance.sample(events, k=min(len(events), REPEATED_EVENTS))
                await asyncio.gather(*map(self._bank.resend, chosen))
            case _:
                kind, operation = self._chance.choice(FAULTS)
                self.done[f"fault {kind}"] += 1
                count = self._chance.randint(*REQUESTS_PER_FAULT)
                await self._bank.add_fault(kind, count=count, operation=operation, seconds=SLOW_S)
