"""Reads the state of the room repeatedly and checks it. Each read is atomic."""

import asyncio
import json
from collections.abc import Sequence

from proofs.waiting_room.event_histories import WINDOW_MS
from proofs.waiting_room.findings import Findings
from proofs.waiting_room.traffic import Traffic
from storage.connect import Stores
from storage.keys import KINDS, concert_keys

READ_INTERVAL_S = 0.005
READ_ROOM = """
local state = redis.call('HMGET', KEYS[1], 'concert_version', 'total_active_users', 'round')
return {state[1], state[2], state[3], redis.call('ZRANGE', KEYS[2], 0, -1), redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[4])}
"""


class Observer:
    def __init__(self, stores: Stores, traffic: Traffic, findings: Findings) -> None:
        self._stores = stores
        self._traffic = traffic
        self._findings = findings
        keys = concert_keys(traffic.concert.id)
        self._keys = [keys[KINDS.index(kind)] for kind in ("state", "slots", "entries", "waiters")]
        self._entries: set[int] = set()
        self._called_ms: dict[int, int] = {}
        self._states: list[tuple[int, int, int]] = []
        """The concert version, the cap, and the number of slots taken in each state."""

    async def observe(self) -> None:
        """Read until canceled."""
        while True:
            await self._read()
            await asyncio.sleep(READ_INTERVAL_S)

    async def _read(self) -> None:
        version, cap, round_, slots, entries, waiters = await self._stores.script_client.run_command(
            "EVAL", READ_ROOM, "4", *self._keys
        )
        found = self._findings
        found.observed += 1
        found.most_slots = max(found.most_slots, len(slots))
        found.at_the_cap += len(slots) >= int(cap)
        self._states.append((int(version), int(cap), len(slots)))
        records = {name.decode(): json.loads(text) for name, text in _pairs(entries)}
        called = {name for name, entry in records.items() if entry["state"] in ("READY", "ADMITTED")}
        waiting = {
            entry["id"]: name
            for name, entry in records.items()
            if entry["state"] == "WAITING" and entry["round"] == int(round_)
        }
        self._entries.update(entry["id"] for entry in records.values())
        found.entries = len(self._entries)
        self._called_ms.update((records[name]["id"], records[name]["called_ms"]) for name in called)
        minute_began_ms = max(self._called_ms.values(), default=0) - WINDOW_MS
        in_last_minute = sum(called_ms > minute_began_ms for called_ms in self._called_ms.values())
        found.busiest_minute = max(found.busiest_minute, in_last_minute)
        in_slots = {name.decode() for name in slots}
        if called != in_slots:
            found.violations.append(f"the called people and the people with a slot differ: {called ^ in_slots}")
        if waiting != {int(entry_id): name.decode() for entry_id, name in _pairs(waiters)}:
            found.violations.append("the people in state WAITING and the people in the queue differ")

    def judge_slots(self) -> None:
        """Check that no slot was taken beyond the cap.

        If the cap changed between two states, the highest value in force counts. If more slots were
        already taken, their number must not have increased.
        """
        version_before, cap_before, slots_before = self._states[0]
        for version, cap, slots in self._states:
            between = [cap for at, cap in self._traffic.caps.items() if version_before <= at <= version]
            allowed = max(cap, slots_before, *between, cap_before if version != version_before else 0)
            if slots > allowed:
                self._findings.violations.append(f"{slots} slots were taken where {allowed} were allowed")
            version_before, cap_before, slots_before = version, cap, slots


def _pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))
