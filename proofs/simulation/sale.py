"""Simulates one sale, second by second, and records predictions for the people who wait."""

import heapq
import random
from collections.abc import Sequence
from enum import IntEnum

from domain.estimates.queue_rates import measure_rates
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.estimates.wait_estimates import build_wait_table
from proofs.simulation.arrivals import MAX_STAYS, Person
from proofs.simulation.outcomes import Outcome, Prediction, Stay
from proofs.simulation.room import Room, RoomObservation
from proofs.simulation.scenarios import Scenario

POLL_INTERVAL_S = 20
FIRST_POLL_S = 5
PREDICTIONS_PER_POLL = 50


class Action(IntEnum):
    """The actions of people. Those due in the same second are run in this order."""

    JOIN = 0
    GIVE_UP = 1
    CLAIM = 2
    HOLD = 3
    BUY = 4
    LEAVE = 5


class Sale:
    def __init__(self, room: Room, scenario: Scenario, people: Sequence[Person], *, seed: int) -> None:
        self._room = room
        self._scenario = scenario
        self._random = random.Random(seed)
        self._due: list[tuple[float, Action, int, Stay]] = []
        self._planned = 0
        self._in_queue: dict[str, Stay] = {}
        self.outcome = Outcome()
        for person in people:
            arrives_s = max(person.arrives_s, -scenario.prequeue_s) if scenario.prequeue_s else abs(person.arrives_s)
            self._plan(arrives_s, Action.JOIN, Stay(person, 1, arrives_s))

    async def run(self) -> Outcome:
        for second in range(-self._scenario.prequeue_s, self._scenario.lasts_s):
            await self._room.move_clock(second)
            if second in self._scenario.changes:
                await self._room.configure(self._scenario.changes[second])
            await self._do_due_actions(second)
            transitions = await self._room.advance()
            for name in transitions.called:
                self._record_call(self._in_queue[name], second)
            for name in transitions.ended:
                self._record_end(self._in_queue.pop(name), second)
            if second >= FIRST_POLL_S and (second - FIRST_POLL_S) % POLL_INTERVAL_S == 0:
                self._predict(await self._room.observe(), second)
        return self.outcome

    async def _do_due_actions(self, second: int) -> None:
        due: dict[Action, list[Stay]] = {action: [] for action in Action}
        while self._due and self._due[0][0] <= second:
            _, action, _, stay = heapq.heappop(self._due)
            if not stay.is_over:
                due[action].append(stay)
        await self._join(due[Action.JOIN])
        await self._give_up(due[Action.GIVE_UP])
        claimed = set(await self._room.claim(_names(due[Action.CLAIM])))
        for stay in due[Action.CLAIM]:
            if stay.person.name in claimed:
                self._plan(second + stay.person.chooses_s, Action.HOLD, stay)
        for stay in due[Action.HOLD]:
            await self._hold_tickets(stay, second)
        await self._room.buy(_names(due[Action.BUY]))
        await self._room.leave(_names(due[Action.LEAVE]))

    async def _join(self, stays: list[Stay]) -> None:
        await self._room.join(_names(stays))
        for stay in stays:
            self._in_queue[stay.person.name] = stay
            if stay.person.gives_up_after_s is not None:
                self._plan(stay.joined_s + stay.person.gives_up_after_s, Action.GIVE_UP, stay)

    async def _give_up(self, stays: list[Stay]) -> None:
        waiting = [stay for stay in stays if stay.called_s is None]
        await self._room.disconnect(_names([stay for stay in waiting if stay.person.disappears]))
        await self._room.leave(_names([stay for stay in waiting if not stay.person.disappears]))

    async def _hold_tickets(self, stay: Stay, second: int) -> None:
        stay.found_tickets = await self._room.hold(stay.person.name, stay.person.wish)
        if stay.person.lingers:
            return
        buys = stay.found_tickets and stay.person.buys
        self._plan(second + stay.person.pays_s, Action.BUY if buys else Action.LEAVE, stay)

    def _record_call(self, stay: Stay, second: int) -> None:
        stay.called_s = second
        self.outcome.called[second] += 1
        if stay.person.claims:
            self._plan(second + stay.person.claims_after_s, Action.CLAIM, stay)

    def _record_end(self, stay: Stay, second: int) -> None:
        stay.is_over = True
        returns_after_s = stay.person.returns_after_s
        if stay.found_tickets is None and returns_after_s is not None and stay.nth < MAX_STAYS:
            joined_s = second + returns_after_s
            self._plan(joined_s, Action.JOIN, Stay(stay.person, stay.nth + 1, joined_s))

    def _predict(self, observed: RoomObservation, second: int) -> None:
        self.outcome.most_slots = max(self.outcome.most_slots, observed.slots_taken)
        derived = measure_rates(observed.flow, observed.slots_taken).waiting
        self.outcome.miscounted += not max(1, len(observed.positions)) == max(1, observed.waiting_count) == derived
        wait_table = build_wait_table(
            observed.flow,
            slots_taken=observed.slots_taken,
            total_active_users=observed.settings.total_active_users,
            new_users_per_minute=observed.settings.new_users_per_minute,
        )
        forecast = forecast_sold_out(observed.stock, observed.flow)
        free = sum(tier.available for tier in observed.stock.tiers)
        names = sorted(observed.positions)
        for name in self._random.sample(names, min(len(names), PREDICTIONS_PER_POLL)):
            position = observed.positions[name]
            band = wait_table.estimate(position)
            p50_s, p90_s = (band.p50_s, band.p90_s) if band else (None, None)
            ahead = forecast.stock_ahead(position - 1)
            self.outcome.predictions.append(
                Prediction(second, self._in_queue[name], position, p50_s, p90_s, ahead, free)
            )

    def _plan(self, at_s: float, action: Action, stay: Stay) -> None:
        self._planned += 1
        heapq.heappush(self._due, (at_s, action, self._planned, stay))


def _names(stays: Sequence[Stay]) -> list[str]:
    return [stay.person.name for stay in stays]
