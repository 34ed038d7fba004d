"""What organizers do to a waiting room that runs, through the face: each verb, each refusal, and its audit."""

import asyncio

import pytest

from tests.support.room_admin import RoomAdmin, open_room_admin, soon
from tests.support.shop import Answer, Shop, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
UPDATE = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename ... on InvalidInputError { problems { path } }
  }
}"""
VERBS: dict[str, dict[str, object]] = {
    "configureWaitingRoom": {"settings": {"totalActiveUsers": 7}},
    "pauseWaitingRoom": {},
    "resumeWaitingRoom": {},
    "admitNext": {"count": 1, "idempotencyKey": "k"},
    "resetWaitingRoom": {"idempotencyKey": "k"},
}
UNKNOWN = "Q29uY2VydDp6enp6enp6enp6eno"


def paths(answer: Answer) -> list[str]:
    assert answer["__typename"] == "InvalidInputError", answer
    return [problem["path"] for problem in answer["problems"]]


async def test_every_setting_is_set_while_the_room_runs_and_told_of(shop: Shop) -> None:
    office, queue = await open_room_admin(shop)
    await queue.join("alice")
    before = await office.settings() | {"opensAt": None}
    wish = {
        "suspended": True,
        "queueingMethod": "RANDOM",
        "totalActiveUsers": 20,
        "newUsersPerMinute": 300,
        "passClaimTimeoutSeconds": 10,
        "sessionDurationSeconds": 120,
        "prequeueStartsAt": soon(hours=-3),
        "opensAt": soon(hours=-2),
        "queueAll": True,
        "heartbeatTimeoutSeconds": 600,
        "disconnectGraceSeconds": 7,
        "message": "Have your tickets ready.\nBring water.",
    }
    answer = await office.configure(**wish)
    assert (answer["__typename"], answer["settingsVersion"]) == ("ConfigureWaitingRoomSuccess", 2)
    assert answer["waitingRoom"] == {"status": "SUSPENDED", "round": 1, "settingsVersion": 2}
    assert await office.settings() == wish | {"shuffleAtStart": False}
    room = await office.everything()
    assert (room["settingsVersion"], room["waitingCount"], room["servingNumber"]) == (2, 1, 0)
    (row,) = room["audit"]["nodes"]
    assert (row["personName"], row["action"], row["settingsVersion"], row["round"]) == ("olivia", "CONFIGURED", 2, 1)
    told = {change["setting"]: (change["before"], change["after"]) for change in row["changes"]}
    assert told == {name: (_text(before[name]), _text(value)) for name, value in wish.items()}
    assert row["call"] is None


def _text(value: object) -> str:
    """As the audit writes it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


async def test_what_is_null_stays_but_moments_are_taken_away(shop: Shop) -> None:
    office, _ = await open_room_admin(shop, opensAt=soon(hours=-2), prequeueStartsAt=soon(hours=-3), message="Hello")
    before = await office.settings()
    same = {name: None for name in before if name not in ("opensAt", "prequeueStartsAt")}
    assert (await office.configure(**same))["settingsVersion"] == 1
    assert await office.settings() == before
    assert (await office.configure(opensAt=None, prequeueStartsAt=None, message=""))["settingsVersion"] == 2
    after = await office.settings()
    assert (after["prequeueStartsAt"], after["message"]) == (None, "")
    assert after["opensAt"] < before["opensAt"]
    assert await office.actions() == ["CONFIGURED"]


@pytest.mark.parametrize(
    ("setting", "highest"),
    [
        ("totalActiveUsers", 1_000_000),
        ("newUsersPerMinute", 1_000_000),
        ("passClaimTimeoutSeconds", 7_200),
        ("sessionDurationSeconds", 7_200),
        ("heartbeatTimeoutSeconds", 7_200),
        ("disconnectGraceSeconds", 7_200),
    ],
)
async def test_a_number_out_of_its_range_changes_nothing(shop: Shop, setting: str, highest: int) -> None:
    office, _ = await open_room_admin(shop)
    before = await office.everything()
    for value in (-1, 0, highest + 1):
        assert paths(await office.configure(**{setting: value, "message": "Hello"})) == [f"settings.{setting}"]
    assert await office.everything() == before
    for value in (1, highest):
        assert (await office.configure(**{setting: value}))["__typename"] == "ConfigureWaitingRoomSuccess"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"opensAt": soon(hours=-25)}, ["opensAt"]),
        ({"opensAt": soon(days=29, hours=1)}, ["opensAt"]),
        ({"prequeueStartsAt": soon(hours=-23)}, ["prequeueStartsAt"]),
        ({"prequeueStartsAt": "1999-12-31T00:00:00Z"}, ["prequeueStartsAt"]),
        ({"prequeueStartsAt": soon(hours=2), "opensAt": soon(hours=1)}, ["prequeueStartsAt"]),
        ({"shuffleAtStart": True, "queueingMethod": "RANDOM"}, ["shuffleAtStart"]),
        ({"shuffleAtStart": True, "queueingMethod": "PASSTHROUGH"}, ["shuffleAtStart"]),
        ({"message": "x" * 501}, ["message"]),
        ({"message": "bell \a"}, ["message"]),
        (
            {"message": "x" * 501, "totalActiveUsers": 0, "opensAt": soon(days=300)},
            ["totalActiveUsers", "opensAt", "message"],
        ),
    ],
)
async def test_settings_that_do_not_fit_change_nothing(
    shop: Shop, settings: dict[str, object], wrong: list[str]
) -> None:
    office, _ = await open_room_admin(shop)
    before = await office.everything()
    assert paths(await office.configure(**settings)) == [f"settings.{name}" for name in wrong]
    wish = {"concertId": office.concert.id, "waitingRoom": settings}
    updated = (await shop.fields(UPDATE, by="olivia", input=wish))["updateConcert"]
    assert paths(updated) == [f"waitingRoom.{name}" for name in wrong]
    assert paths(await office.reset(settings=settings)) == [f"settings.{name}" for name in wrong]
    assert await office.everything() == before


async def test_a_change_that_changes_nothing_leaves_no_trace(shop: Shop) -> None:
    office, _ = await open_room_admin(shop, totalActiveUsers=5)
    before = await office.everything()
    for name, value in (("totalActiveUsers", 5), ("message", ""), ("opensAt", None), ("queueAll", None)):
        answer = await office.configure(**{name: value})
        assert (answer["__typename"], answer["settingsVersion"]) == ("ConfigureWaitingRoomSuccess", 1)
    assert await office.everything() == before


async def test_a_change_for_another_version_of_the_settings_is_refused(shop: Shop) -> None:
    office, _ = await open_room_admin(shop)
    assert (await office.configure(1, totalActiveUsers=9))["settingsVersion"] == 2
    before = await office.everything()
    answer = await office.configure(1, totalActiveUsers=8)
    assert (answer["__typename"], answer["version"]) == ("VersionConflictError", 2)
    assert "now at version 2" in answer["message"]
    assert await office.everything() == before
    # What changes of the concert besides does not count.
    await shop.fields(UPDATE, by="olivia", input={"concertId": office.concert.id, "name": "Other"})
    assert (await office.configure(2, totalActiveUsers=8))["settingsVersion"] == 3


async def test_of_two_organizers_at_once_one_wins(shop: Shop) -> None:
    office, _ = await open_room_admin(shop)
    answers = await asyncio.gather(*[office.configure(1, totalActiveUsers=n) for n in (11, 22)])
    assert sorted(a["__typename"] for a in answers) == ["ConfigureWaitingRoomSuccess", "VersionConflictError"]
    room = await office.everything()
    (row,) = room["audit"]["nodes"]
    assert row["changes"] == [{"setting": "totalActiveUsers", "before": "1000", "after": str(room["totalActiveUsers"])}]


async def test_changes_that_insist_on_no_version_are_all_made(shop: Shop) -> None:
    office, _ = await open_room_admin(shop)
    wishes: list[dict[str, object]] = [
        {"totalActiveUsers": 11},
        {"newUsersPerMinute": 22},
        {"message": "Hello"},
        {"queueAll": True},
    ]
    answers = await asyncio.gather(*[office.configure(**wish) for wish in wishes])
    assert [a["__typename"] for a in answers] == ["ConfigureWaitingRoomSuccess"] * 4
    assert sorted(a["settingsVersion"] for a in answers) == [2, 3, 4, 5]
    settings = await office.settings()
    assert {name: settings[name] for wish in wishes for name in wish} == {k: v for w in wishes for k, v in w.items()}
    assert [row["settingsVersion"] for row in (await office.everything())["audit"]["nodes"]] == [5, 4, 3, 2]


async def test_a_cap_below_the_occupancy_calls_nobody_and_drops_nobody(shop: Shop) -> None:
    office, queue = await open_room_admin(shop, totalActiveUsers=3)
    await queue.join("ann", "ben", "cat", "dan")
    await queue.call()
    passes = [(await queue.result("claimQueuePass", who))["entry"]["pass"]["token"] for who in ("ann", "ben", "cat")]
    assert (await office.configure(totalActiveUsers=1))["settingsVersion"] == 2
    await queue.call()
    room = await office.everything()
    assert (room["slotsTaken"], room["waitingCount"], room["servingNumber"]) == (3, 1, 3)
    assert [(await queue.place(who))["pass"]["token"] for who in ("ann", "ben", "cat")] == passes
    assert (await office.admit(1))["call"] == {"asked": 1, "called": 0, "limit": "TOTAL_ACTIVE_USERS"}
    await queue.result("leaveQueue", "ann")
    await queue.result("leaveQueue", "ben")
    assert (await queue.place("dan"))["state"] == "WAITING"
    await queue.result("leaveQueue", "cat")
    assert (await queue.place("dan"))["state"] == "READY"


async def test_a_pause_keeps_places_and_calls_nobody(shop: Shop) -> None:
    office, queue = await open_room_admin(shop)
    await queue.join("ann", "ben")
    for version in (2, 2):
        answer = await office.pause()
        assert (answer["settingsVersion"], answer["waitingRoom"]["status"]) == (version, "PAUSED")
    (entry,) = await queue.join("cat")
    assert (entry["number"], entry["position"], entry["state"]) == (3, 3, "WAITING")
    await queue.call()
    assert [(await queue.place(who))["position"] for who in ("ann", "ben", "cat")] == [1, 2, 3]
    for version in (3, 3):
        answer = await office.resume()
        assert (answer["settingsVersion"], answer["waitingRoom"]["status"]) == (version, "OPEN")
    await queue.call()
    assert [(await queue.place(who))["state"] for who in ("ann", "ben", "cat")] == ["READY"] * 3
    room = await office.everything()
    assert [(row["action"], row["settingsVersion"], row["changes"]) for row in room["audit"]["nodes"]] == [
        ("RESUMED", 3, [{"setting": "queueAll", "before": "true", "after": "false"}]),
        ("PAUSED", 2, [{"setting": "queueAll", "before": "false", "after": "true"}]),
    ]


async def test_who_pauses_calls_by_hand_once_a_key(shop: Shop) -> None:
    office, queue = await open_room_admin(shop)
    await queue.join("ann", "ben", "cat")
    await office.pause()
    key = new_key()
    for _ in range(2):
        answer = await office.admit(2, key)
        assert answer["call"] == {"asked": 2, "called": 2, "limit": None}
        assert answer["waitingRoom"]["status"] == "PAUSED"
    assert [(await queue.place(who))["state"] for who in ("ann", "ben", "cat")] == ["READY", "READY", "WAITING"]
    before = await office.everything()
    conflict = await office.admit(1, key)
    assert conflict["__typename"] == "IdempotencyConflictError"
    assert await office.everything() == before
    row = before["audit"]["nodes"][0]
    assert (row["action"], row["settingsVersion"], row["changes"]) == ("ADMITTED_NEXT", 2, [])
    assert row["call"] == {"asked": 2, "called": 2, "limit": None}
    assert [row["action"] for row in before["audit"]["nodes"]] == ["ADMITTED_NEXT", "PAUSED"]


async def test_the_same_call_twice_at_once_is_one(shop: Shop) -> None:
    office, queue = await open_room_admin(shop)
    await queue.join("ann", "ben", "cat")
    await office.pause()
    key = new_key()
    answers = await asyncio.gather(*[office.admit(1, key) for _ in range(5)])
    assert [answer["call"] for answer in answers] == [{"asked": 1, "called": 1, "limit": None}] * 5
    assert (await office.everything())["slotsTaken"] == 1
    assert await office.actions() == ["ADMITTED_NEXT", "PAUSED"]


@pytest.mark.parametrize(
    ("caps", "called", "limit"),
    [
        ({}, 3, "NOBODY_WAITS"),
        ({"totalActiveUsers": 2}, 2, "TOTAL_ACTIVE_USERS"),
        ({"newUsersPerMinute": 2}, 2, "NEW_USERS_PER_MINUTE"),
    ],
)
async def test_a_call_by_hand_says_why_not_more(shop: Shop, caps: dict[str, object], called: int, limit: str) -> None:
    office, queue = await open_room_admin(shop, queueAll=True, **caps)
    await queue.join("ann", "ben", "cat")
    key = new_key()
    assert (await office.admit(1000, key))["call"] == {"asked": 1000, "called": called, "limit": limit}
    assert (await office.admit(1000, key))["call"] == {"asked": 1000, "called": called, "limit": limit}
    assert (await office.admit(1000))["call"] == {"asked": 1000, "called": 0, "limit": limit}
    assert (await office.everything())["slotsTaken"] == called


@pytest.mark.parametrize("wish", [{"count": 0}, {"count": -1}, {"count": 1001}])
async def test_a_call_of_no_or_too_many_people_calls_nobody(shop: Shop, wish: dict[str, object]) -> None:
    office, queue = await open_room_admin(shop)
    await queue.join("ann")
    before = await office.everything()
    assert paths(await office.result("admitNext", idempotencyKey=new_key(), **wish)) == ["count"]
    assert paths(await office.result("admitNext", idempotencyKey=" ", count=1)) == ["idempotencyKey"]
    assert paths(await office.reset("x" * 256)) == ["idempotencyKey"]
    assert await office.everything() == before


CLOSED_ROOMS = [
    ({"suspended": True}, "SUSPENDED", False),
    ({"prequeueStartsAt": soon(minutes=30), "opensAt": soon(hours=1)}, "SCHEDULED", True),
    ({"queueingMethod": "REJECT"}, "REJECTING", False),
]


@pytest.mark.parametrize(
    ("settings", "status", "is_known"), CLOSED_ROOMS, ids=[status for _, status, _ in CLOSED_ROOMS]
)
async def test_nobody_joins_or_is_called_in_a_room_that_is_not_open(
    shop: Shop, settings: dict[str, object], status: str, *, is_known: bool
) -> None:
    office, queue = await open_room_admin(shop, **settings)
    before = await office.everything()
    assert before["status"] == status
    refused = await office.admit(1)
    assert (refused["code"], refused["status"]) == ("ROOM_NOT_OPEN", status)
    joined = await _join(shop, office)
    assert (joined["code"], joined["status"]) == ("ROOM_NOT_OPEN", status)
    expected = settings["prequeueStartsAt"] if is_known else None
    assert joined["opensAt"] == refused["opensAt"] == expected
    assert await queue.place("ann") is None
    assert await office.everything() == before


async def test_a_prequeue_takes_people_and_calls_nobody(shop: Shop) -> None:
    opens_at = soon(hours=1)
    office, queue = await open_room_admin(shop, opensAt=opens_at)
    (entry,) = await queue.join("ann")
    assert entry["state"] == "PREQUEUED"
    assert (await office.everything())["status"] == "PREQUEUE"
    refused = await office.admit(1)
    assert (refused["code"], refused["status"], refused["opensAt"]) == ("ROOM_NOT_OPEN", "PREQUEUE", opens_at)
    assert await office.actions() == []


async def test_a_closed_concert_has_no_line_to_run(shop: Shop) -> None:
    office, queue = await open_room_admin(shop)
    await shop.fields(CLOSE, by="olivia", input={"concertId": office.concert.id})
    before = await office.everything()
    assert before["status"] == "CLOSED"
    assert (await _join(shop, office))["status"] == "CLOSED"
    for verb, wish in VERBS.items():
        answer = await office.result(verb, **wish)
        if verb == "admitNext":
            assert (answer["code"], answer["status"]) == ("ROOM_NOT_OPEN", "CLOSED")
        else:
            assert (answer["code"], answer["illegal"]) == ("ILLEGAL_TRANSITION", "CLOSED"), verb
    assert await office.everything() == before
    assert await queue.place("ann") is None


async def _join(shop: Shop, office: RoomAdmin) -> Answer:
    document = """mutation ($input: JoinQueueInput!) {
      joinQueue(input: $input) { ... on DomainError { code } ... on RoomNotOpenError { status opensAt } }
    }"""
    return (await shop.fields(document, by=f"ann {new_key()}", input={"concertId": office.concert.id}))["joinQueue"]


async def test_a_draft_is_prepared_and_has_no_line(shop: Shop) -> None:
    office = RoomAdmin(shop, await shop.draft(waitingRoom={"suspended": False}))
    assert (await office.everything())["status"] == "SCHEDULED"
    assert (await office.configure(totalActiveUsers=7))["settingsVersion"] == 2
    assert (await office.pause())["settingsVersion"] == 3
    before = await office.everything()
    assert (before["totalActiveUsers"], before["queueAll"], before["status"]) == (7, True, "SCHEDULED")
    for verb in ("admitNext", "resetWaitingRoom"):
        answer = await office.result(verb, **VERBS[verb])
        assert (answer["code"], answer["illegal"]) == ("ILLEGAL_TRANSITION", "DRAFT")
    assert await office.everything() == before
    assert await office.actions() == ["PAUSED", "CONFIGURED"]


@pytest.mark.parametrize("verb", list(VERBS))
async def test_a_concert_that_is_not_there_is_not_found(shop: Shop, verb: str) -> None:
    answer = await RoomAdmin(shop, (await shop.draft())).result(verb, **VERBS[verb] | {"concertId": UNKNOWN})
    assert (answer["__typename"], answer["code"]) == ("NotFoundError", "NOT_FOUND")
    answer = await RoomAdmin(shop, (await shop.draft())).result(verb, **VERBS[verb] | {"concertId": "nonsense"})
    assert paths(answer) == ["concertId"]


@pytest.mark.parametrize(
    ("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")], ids=["anonymous", "customer"]
)
@pytest.mark.parametrize("verb", list(VERBS))
async def test_only_organizers_run_a_room(shop: Shop, verb: str, by: str | None, code: str) -> None:
    office, queue = await open_room_admin(shop, queueAll=verb == "resumeWaitingRoom")
    await queue.join("ann")
    before = await office.everything()
    answer = await office.ask(verb, by, **VERBS[verb])
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await office.everything() == before


@pytest.mark.parametrize(
    ("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")], ids=["anonymous", "customer"]
)
async def test_how_a_room_is_run_is_for_organizers(shop: Shop, by: str | None, code: str) -> None:
    office, _ = await open_room_admin(shop, totalActiveUsers=5)
    document = """query ($id: ID!) {
      waitingRoom(concertId: $id) { totalActiveUsers flow { joined } audit { nodes { personName } } }
      concert(id: $id) { waitingRoom { flow { joined } } }
    }"""
    answer = await shop.ask(document, by=by, id=office.concert.id)
    assert answer["data"] == {
        "waitingRoom": {"totalActiveUsers": 5, "flow": None, "audit": None},
        "concert": {"waitingRoom": {"flow": None}},
    }
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code] * 3
