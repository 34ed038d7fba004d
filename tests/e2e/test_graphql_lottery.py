"""A lottery over GraphQL: a commitment before the draw, and a proof for each person after it."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import TemporarilyUnavailable
from schema.ids import concert_argument
from tests.support.lottery import before_opening
from tests.support.queue_users import QueueUsers, open_queue
from tests.support.room_admin import open_room_admin, soon
from tests.support.shop import Answer, Shop
from workers.opening import OpeningWorker

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERIFIER = Path(__file__).parents[2] / "deploy" / "verify" / "lottery.py"
_LOTTERY = "lottery { commitment isRevealed registrations digest secret seed revealedAt }"
LOTTERY = f"query ($id: ID!) {{ waitingRoom(concertId: $id) {{ {_LOTTERY} }} }}"
PROOF = """query ($id: ID!) {
  queueEntry(concertId: $id) {
    number lot lotteryProof { lot number registrations digest secret seed commitment }
  }
}"""
EVERYTHING = f"""query ($id: ID!) {{
  waitingRoom(concertId: $id) {{
    {_LOTTERY} audit {{ nodes {{ changes {{ setting before after }} }} }}
  }}
  queueEntry(concertId: $id) {{ lot number lotteryProof {{ secret seed digest }} }}
}}"""
HIDDEN = dict.fromkeys(("registrations", "digest", "secret", "seed", "revealedAt"))


async def lottery_of(queue: QueueUsers) -> Answer:
    """Return the lottery as the public sees it."""
    return (await queue.shop.fields(LOTTERY, id=queue.concert.id))["waitingRoom"]["lottery"]


async def proof_of(queue: QueueUsers, person: str) -> Answer:
    """Return the complete answer and its queue entry."""
    answer = await queue.shop.ask(PROOF, by=queue.name(person), id=queue.concert.id)
    assert "errors" not in answer
    return answer, answer["data"]["queueEntry"]


async def verify(answer: Answer, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(VERIFIER), *arguments]
    text = json.dumps(answer)
    done = await asyncio.to_thread(subprocess.run, command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


async def test_each_person_can_verify_their_number(shop: Shop) -> None:
    queue = await open_queue(shop, shuffleAtStart=True)
    commitment = (await lottery_of(queue))["commitment"]
    people = ["alice", "bob", "carol"]
    async with before_opening(shop.stores, concert_argument(queue.concert.id)):
        joined = await queue.join(*people)
    assert {(entry["state"], entry["number"], entry["position"]) for entry in joined} == {("PREQUEUED", None, None)}
    assert (await proof_of(queue, "alice"))[1] == {"number": None, "lot": 1, "lotteryProof": None}
    await OpeningWorker().run_once(shop.stores)
    numbers = []
    for lot, person in enumerate(people, 1):
        answer, entry = await proof_of(queue, person)
        numbers.append(entry["number"])
        assert (entry["lotteryProof"]["lot"], entry["lotteryProof"]["number"]) == (lot, entry["number"])
        code, printed = await verify(answer, "--commitment", commitment)
        assert (code, printed.splitlines()[-1]) == (0, f"Lot {lot} of 3 drew number {entry['number']}.")
    assert sorted(numbers) == [1, 2, 3]
    shown = await lottery_of(queue)
    assert (shown["commitment"], shown["isRevealed"], shown["registrations"]) == (commitment, True, 3)
    assert (await verify(shown, "--commitment", commitment, "--all", "3"))[0] == 0
    assert shown["revealedAt"].endswith("Z")


async def test_person_who_joins_late_has_no_lot_and_no_proof(shop: Shop) -> None:
    queue = await open_queue(shop, shuffleAtStart=True)
    await queue.join("alice")
    await OpeningWorker().run_once(shop.stores)
    await queue.join("bob")
    assert (await proof_of(queue, "bob"))[1] == {"number": 2, "lot": None, "lotteryProof": None}


async def test_room_without_a_lottery_shows_none(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice")
    assert await lottery_of(queue) is None
    assert (await proof_of(queue, "alice"))[1]["lotteryProof"] is None


async def test_only_the_commitment_is_shown_before_the_opening(shop: Shop) -> None:
    room, queue = await open_room_admin(shop, shuffleAtStart=True)
    await queue.join("alice")
    concert_id = concert_argument(queue.concert.id)
    stored = await shop.stores.mongo["lotteries"].find_one({"_id": f"{concert_id}:1"})
    assert stored is not None
    answers = [await shop.ask(EVERYTHING, by=by, id=queue.concert.id) for by in (None, "olivia", queue.name("alice"))]
    shown = json.dumps([*answers, await room.everything()])
    assert stored["commitment"] in shown
    assert stored["secret"] not in shown
    assert await lottery_of(queue) == {"commitment": stored["commitment"], "isRevealed": False, **HIDDEN}


async def test_called_person_keeps_the_proof_of_their_round(shop: Shop) -> None:
    room, queue = await open_room_admin(shop, shuffleAtStart=True, totalActiveUsers=1)
    async with before_opening(shop.stores, concert_argument(queue.concert.id)):
        await queue.join("alice", "bob")
    await OpeningWorker().run_once(shop.stores)
    proofs = {person: (await proof_of(queue, person))[1]["lotteryProof"] for person in ("alice", "bob")}
    called, other = sorted(proofs, key=lambda person: proofs[person]["number"])
    await queue.call()
    await room.reset()
    again = await lottery_of(queue)
    assert again["isRevealed"] is False
    assert again["commitment"] != proofs[called]["commitment"]
    assert (await proof_of(queue, called))[1]["lotteryProof"] == proofs[called]
    # The other person was still waiting, so the reset ended their entry.
    assert (await proof_of(queue, other))[1] == {"number": None, "lot": None, "lotteryProof": None}


async def test_lottery_can_be_turned_off_only_before_the_queue_opens(shop: Shop) -> None:
    """After the opening, the secret may be public, and people have seen their numbers."""
    room, queue = await open_room_admin(shop, shuffleAtStart=True, opensAt=soon(hours=1))
    before = await lottery_of(queue)
    assert (await room.configure(shuffleAtStart=False))["__typename"] == "ConfigureWaitingRoomSuccess"
    assert await lottery_of(queue) is None
    assert (await room.configure(shuffleAtStart=True))["__typename"] == "ConfigureWaitingRoomSuccess"
    assert await lottery_of(queue) == before
    await room.configure(opensAt=None)
    refused = await room.configure(shuffleAtStart=False)
    assert (refused["__typename"], refused["settings"]) == ("QueueOpenedError", ["shuffleAtStart"])
    assert await lottery_of(queue) == before
    assert (await room.reset(settings={"shuffleAtStart": False}))["__typename"] == "ResetWaitingRoomSuccess"
    assert await lottery_of(queue) is None


async def test_unreadable_lottery_is_null_with_an_error(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = await open_queue(shop, shuffleAtStart=True)

    async def unavailable(*_: object) -> None:
        raise TemporarilyUnavailable("The order database does not answer")

    monkeypatch.setattr(shop.stores.lotteries, "find_reveal", unavailable)
    answer = await shop.ask(LOTTERY, id=queue.concert.id)
    assert answer["data"] == {"waitingRoom": {"lottery": None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
