"""One simulated sale, second by second: people act, and waiting people receive predictions."""

import heapq
import random
from collections.abc import Sequence
from enum import IntEnum

from bench.simulation.arrivals import RETURNS_AT_MOST, Person
from bench.simulation.outcomes import Outcome, Prediction, QueuedPerson
from bench.simulation.room import Room, RoomObservation
from bench.simulation.scenarios import Scenario
from domain.estimates.queue_rates import measure_rates
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.estimates.wait_estimates import build_wait_table

POLL_INTERVAL_S = 20
FIRST_POLL_S = 5
ASKED_A_LOOK = 50


class Action(IntEnum):
    """Actions; those due at the same time run in this order."""

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
        self._dice = random.Random(seed)
        self._due: list[tuple[float, Action, int, QueuedPerson]] = []
        self._planned = 0
        self._here: dict[str, QueuedPerson] = {}
        self.outcome = Outcome()
        for person in people:
            arrives_s = max(person.arrives_s, -scenario.prequeue_s) if scenario.prequeue_s else abs(person.arrives_s)
            self._plan(arrives_s, Action.JOIN, QueuedPerson(person, 1, arrives_s))

    async def hold(self) -> Outcome:
        for second in range(-self._scenario.prequeue_s, self._scenario.lasts_s):
            await self._room.move_clock(second)
            if second in self._scenario.changes:
                await self._room.configure(self._scenario.changes[second])
            await self._do_what_is_due(second)
            turned = await self._room.turn()
            for name in turned.called:
                self._called(self._here[name], second)
            for name in turned.ended:
                self._ended(self._here.pop(name), second)
            if second >= FIRST_POLL_S and (second - FIRST_POLL_S) % POLL_INTERVAL_S == 0:
                self._tell(await self._room.look(), second)
        return self.outcome

    async def _do_what_is_due(self, second: int) -> None:
        due: dict[Action, list[QueuedPerson]] = {action: [] for action in Action}
        while self._due and self._due[0][0] <= second:
            _, action, _, place = heapq.heappop(self._due)
            if not place.is_over:
                due[action].append(place)
        await self._join(due[Action.JOIN])
        await self._give_up(due[Action.GIVE_UP])
        came = set(await self._room.claim(_names(due[Action.CLAIM])))
        for place in due[Action.CLAIM]:
            if place.person.name in came:
                self._plan(second + place.person.looks_s, Action.HOLD, place)
        for place in due[Action.HOLD]:
            await self._look_for_tickets(place, second)
        await self._room.buy(_names(due[Action.BUY]))
        await self._room.leave(_names(due[Action.LEAVE]))

    async def _join(self, places: list[QueuedPerson]) -> None:
        await self._room.join(_names(places))
        for place in places:
            self._here[place.person.name] = place
            if place.person.gives_up_after_s is not None:
                self._plan(place.joined_s + place.person.gives_up_after_s, Action.GIVE_UP, place)

    async def _give_up(self, places: list[QueuedPerson]) -> None:
        waiting = [place for place in places if place.called_s is None]
        await self._room.walk_off(_names([place for place in waiting if place.person.walks_off]))
        await self._room.leave(_names([place for place in waiting if not place.person.walks_off]))

    async def _look_for_tickets(self, place: QueuedPerson, second: int) -> None:
        place.found_tickets = await self._room.hold(place.person.name, place.person.wish)
        if place.person.lingers:
            return
        buys = place.found_tickets and place.person.buys
        self._plan(second + place.person.pays_s, Action.BUY if buys else Action.LEAVE, place)

    def _called(self, place: QueuedPerson, second: int) -> None:
        place.called_s = second
        self.outcome.called[second] += 1
        if place.person.comes:
            self._plan(second + place.person.claims_after_s, Action.CLAIM, place)

    def _ended(self, place: QueuedPerson, second: int) -> None:
        place.is_over = True
        returns_after_s = place.person.returns_after_s
        if place.found_tickets is None and returns_after_s is not None and place.nth < RETURNS_AT_MOST:
            joined_s = second + returns_after_s
            self._plan(joined_s, Action.JOIN, QueuedPerson(place.person, place.nth + 1, joined_s))

    def _tell(self, look: RoomObservation, second: int) -> None:
        self.outcome.most_slots = max(self.outcome.most_slots, look.slots_taken)
        derived = measure_rates(look.flow, look.slots_taken).waiting
        self.outcome.miscounted += not max(1, len(look.positions)) == max(1, look.waiting_count) == derived
        pace = build_wait_table(
            look.flow,
            slots_taken=look.slots_taken,
            total_active_users=look.settings.total_active_users,
            new_users_per_minute=look.settings.new_users_per_minute,
        )
        forecast = forecast_sold_out(look.stock, look.flow)
        free = sum(tier.available for tier in look.stock.tiers)
        names = sorted(look.positions)
        for name in self._dice.sample(names, min(len(names), ASKED_A_LOOK)):
            position = look.positions[name]
            band = pace.estimate(position)
            p50_s, p90_s = (band.p50_s, band.p90_s) if band else (None, None)
            ahead = forecast.stock_ahead(position - 1)
            self.outcome.told.append(Prediction(second, self._here[name], position, p50_s, p90_s, ahead, free))

    def _plan(self, at_s: float, action: Action, place: QueuedPerson) -> None:
        self._planned += 1
        heapq.heappush(self._due, (at_s, action, self._planned, place))


def _names(places: Sequence[QueuedPerson]) -> list[str]:
    return [place.person.name for place in places]
