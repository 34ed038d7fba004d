"""What a person hears of the line: positions over sockets that are lost and replaced, and what is booked of them."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from bench.sale.catalog import SaleConcert
from bench.sale.client import Client, Denied, JsonObject
from bench.sale.ledger import Ledger, Step
from bench.sale.mutations import RefusedMutation
from bench.sale.observations import Observation, Observations, RoomObservation
from bench.sale.queue_client import EntryView, QueueClient, QueuePass
from tests.support.fake_ws_server import run_fake_server
from tests.support.waiting import wait_until

ENTRY = {"number": 7, "state": "WAITING", "position": 3, "pass": None}
ROOM = {"epoch": 1, "version": 20, "servingNumber": 4, "waitingCount": 9, "slotsTaken": 2}


class Answers(Client):
    """Gives one answer after the other."""

    def __init__(self, *answers: JsonObject | Denied) -> None:
        super().__init__((), Ledger())
        self._answers = list(answers)

    async def ask(
        self, step: Step, document: str, variables: Mapping[str, object], token: str | None
    ) -> JsonObject | Denied:
        return self._answers.pop(0)


def line(*answers: JsonObject | Denied, urls: tuple[str, ...] = ()) -> QueueClient:
    return QueueClient(Answers(*answers), Ledger(), SaleConcert("c", ()), urls=urls, observations=Observations())


def position(version: int, state: str, position: int | None) -> dict[str, Any]:
    value = {
        "epoch": 1,
        "version": version,
        "state": state,
        "number": 7,
        "position": position,
        "servingNumber": 4,
        "waitingCount": 9,
    }
    return {"id": "1", "type": "next", "payload": {"data": {"queuePosition": value}}}


async def hear(heard_line: QueueClient, drops_after_s: tuple[float, ...] = ()) -> list[tuple[str, int | None]]:
    heard = []
    async with asyncio.timeout(10):
        pushes = heard_line.positions("ada", token="token", drops_after_s=drops_after_s)
        async with aclosing(pushes):
            async for place in pushes:
                heard.append((place.state, place.position))
                if place.state != "WAITING":
                    break
    return heard


async def test_a_lost_socket_is_replaced_by_one_of_the_other_server() -> None:
    async with (
        run_fake_server(position(10, "WAITING", 3), 1012) as (_, first),
        run_fake_server(position(12, "READY", 0)) as (_, second),
    ):
        waiting = line(urls=(first, second))
        assert (await hear(waiting))[-1] == ("READY", 0)
        lost = waiting.ledger.line.lost_sockets.total()
    assert waiting.ledger.line.sockets == lost + 1
    assert [[sighting.at for sighting in trail.observations] for trail in waiting.observations.trails][-1] == [(1, 12)]
    assert waiting.ledger.line.called == {7}
    assert waiting.ledger.surprises == []
    assert not waiting.is_crowded


async def test_a_socket_is_dropped_on_purpose_and_comes_back() -> None:
    async with run_fake_server(position(10, "WAITING", 3)) as (_, url):
        waiting = line(urls=(url,))
        hearing = asyncio.create_task(hear(waiting, drops_after_s=(0.01, 0.01)))
        await wait_until(lambda: waiting.ledger.line.sockets == 3)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    assert waiting.ledger.line.lost_sockets == {"socket closed with 1006": 2}


async def test_who_has_joined_is_never_shown_as_a_stranger() -> None:
    stranger = position(10, "WAITING", None)
    stranger["payload"]["data"]["queuePosition"]["number"] = None
    async with run_fake_server(stranger) as (_, url):
        waiting = line(urls=(url,))
        hearing = asyncio.create_task(hear(waiting))
        await wait_until(lambda: waiting.ledger.surprises)
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
    assert "somebody who has joined was pushed" in waiting.ledger.surprises[0]


async def test_an_answer_to_who_has_no_socket_is_true_of_the_last_look_at_the_room() -> None:
    asked = line(ROOM, ENTRY)
    await asked.room()
    assert asked.observations.rooms == [RoomObservation((1, 20), 4, 9, 2)]
    assert await asked.ask(token="token") == EntryView(7, "WAITING", 3)
    assert asked.observations.still_waiting == {7: (1, 20)}
    assert asked.ledger.line.most_waiting == 9


async def test_a_call_that_is_asked_for_is_booked() -> None:
    ready = ENTRY | {"state": "READY", "position": 0}
    asked = line({"__typename": "HeartbeatSuccess", "entry": ready})
    assert await asked.heartbeat(token="token") == EntryView(7, "READY", 0)
    assert asked.ledger.line.called == {7}


async def test_a_claim_books_the_pass() -> None:
    entry = ENTRY | {"state": "ADMITTED", "position": 0, "pass": {"token": "t", "expiresInSeconds": 15}}
    claiming = line({"entry": entry})
    answer = await claiming.claim("ada", token="token")
    assert isinstance(answer, QueuePass)
    assert (answer.token, answer.number) == ("t", 7)
    assert (claiming.ledger.line.claimed, claiming.passes_seen) == ({7}, {"ada": "t"})


async def test_a_refusal_is_booked_and_told() -> None:
    asked = line(Denied("NOTHING", "m"), {"code": "NOT_IN_QUEUE", "message": "m"}, Denied("FORBIDDEN", "m"))
    assert await asked.ask(token="token") == RefusedMutation("NOTHING", "m")
    assert await asked.leave(token="token") == RefusedMutation("NOT_IN_QUEUE", "m")
    assert await asked.room() is None
    assert asked.ledger.refused == {"NOT_IN_QUEUE": 1}
    assert "a look at the waiting room was answered with" in asked.ledger.surprises[0]


def test_a_sighting_has_what_was_pushed() -> None:
    value = position(10, "WAITING", 3)["payload"]["data"]["queuePosition"]
    assert Observation.of(value) == ((1, 10), "WAITING", 7, 3, 4, 9)
