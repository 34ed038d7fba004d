"""Organizers run an open waiting room over GraphQL: mutations, refusals, and the audit."""

import asyncio

import pytest

from tests.support.room_admin import RoomAdmin, open_room_admin, soon
from tests.support.shop import Answer, Shop, new_key
from tests.support.shop_mutations import CLOSE, UNKNOWN_CONCERT

pytestmark = pytest.mark.asyncio(loop_scope="module")

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


def paths(answer: Answer) -> list[str]:
    assert answer["__typename"] == "InvalidInputError", answer
    return [problem["path"] for problem in answer["problems"]]


async def test_every_setting_can_be_changed_and_is_audited(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("alice")
    before = await admin.settings() | {"opensAt": None}
    input_ = {
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
    answer = await admin.configure(**input_)
    assert (answer["__typename"], answer["settingsVersion"]) == ("ConfigureWaitingRoomSuccess", 2)
    assert answer["waitingRoom"] == {"status": "SUSPENDED", "round": 1, "settingsVersion": 2}
    assert await admin.settings() == input_ | {"shuffleAtStart": False}
    room = await admin.everything()
    assert (room["settingsVersion"], room["waitingCount"], room["servingNumber"]) == (2, 1, 0)
    (row,) = room["audit"]["nodes"]
    assert (row["personName"], row["action"], row["settingsVersion"], row["round"]) == ("olivia", "CONFIGURED", 2, 1)
    audited = {change["setting"]: (change["before"], change["after"]) for change in row["changes"]}
    assert audited == {name: (_text(before[name]), _text(value)) for name, value in input_.items()}
    assert row["call"] is None


def _text(value: object) -> str:
    """Return the text that the audit records for a value."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


async def test_null_keeps_a_setting_but_clears_a_time(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop, opensAt=soon(hours=-2), prequeueStartsAt=soon(hours=-3), message="Hello")
    before = await admin.settings()
    same = {name: None for name in before if name not in ("opensAt", "prequeueStartsAt")}
    assert (await admin.configure(**same))["settingsVersion"] == 1
    assert await admin.settings() == before
    assert (await admin.configure(opensAt=None, prequeueStartsAt=None, message=""))["settingsVersion"] == 2
    after = await admin.settings()
    assert (after["prequeueStartsAt"], after["message"]) == (None, "")
    assert after["opensAt"] < before["opensAt"]
    assert await admin.actions() == ["CONFIGURED"]


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
async def test_number_out_of_range_changes_nothing(shop: Shop, setting: str, highest: int) -> None:
    admin, _ = await open_room_admin(shop)
    before = await admin.everything()
    for value in (-1, 0, highest + 1):
        assert paths(await admin.configure(**{setting: value, "message": "Hello"})) == [f"settings.{setting}"]
    assert await admin.everything() == before
    for value in (1, highest):
        assert (await admin.configure(**{setting: value}))["__typename"] == "ConfigureWaitingRoomSuccess"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"opensAt": soon(hours=-25)}, ["opensAt"]),
        ({"opensAt": soon(days=29, hours=12)}, ["opensAt"]),
        ({"prequeueStartsAt": soon(hours=-12)}, ["prequeueStartsAt"]),
        ({"prequeueStartsAt": "1999-12-31T00:00:00Z"}, ["prequeueStartsAt"]),
        ({"prequeueStartsAt": soon(hours=48), "opensAt": soon(hours=24)}, ["prequeueStartsAt"]),
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
async def test_invalid_settings_change_nothing(shop: Shop, settings: dict[str, object], wrong: list[str]) -> None:
    admin, _ = await open_room_admin(shop)
    before = await admin.everything()
    assert paths(await admin.configure(**settings)) == [f"settings.{name}" for name in wrong]
    input_ = {"concertId": admin.concert.id, "waitingRoom": settings}
    updated = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
    assert paths(updated) == [f"waitingRoom.{name}" for name in wrong]
    assert paths(await admin.reset(settings=settings)) == [f"settings.{name}" for name in wrong]
    assert await admin.everything() == before


async def test_change_without_effect_is_not_audited(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop, totalActiveUsers=5)
    before = await admin.everything()
    for name, value in (("totalActiveUsers", 5), ("message", ""), ("opensAt", None), ("queueAll", None)):
        answer = await admin.configure(**{name: value})
        assert (answer["__typename"], answer["settingsVersion"]) == ("ConfigureWaitingRoomSuccess", 1)
    assert await admin.everything() == before


async def test_change_based_on_an_old_settings_version_is_refused(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    assert (await admin.configure(1, totalActiveUsers=9))["settingsVersion"] == 2
    before = await admin.everything()
    answer = await admin.configure(1, totalActiveUsers=8)
    assert (answer["__typename"], answer["version"]) == ("VersionConflictError", 2)
    assert "now at version 2" in answer["message"]
    assert await admin.everything() == before
    # Other changes to the concert do not change the version of the settings.
    await shop.fields(UPDATE, by="olivia", input={"concertId": admin.concert.id, "name": "Other"})
    assert (await admin.configure(2, totalActiveUsers=8))["settingsVersion"] == 3


async def test_only_one_of_two_concurrent_changes_to_a_version_succeeds(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    answers = await asyncio.gather(*[admin.configure(1, totalActiveUsers=n) for n in (11, 22)])
    assert sorted(a["__typename"] for a in answers) == ["ConfigureWaitingRoomSuccess", "VersionConflictError"]
    room = await admin.everything()
    (row,) = room["audit"]["nodes"]
    assert row["changes"] == [{"setting": "totalActiveUsers", "before": "1000", "after": str(room["totalActiveUsers"])}]


async def test_concurrent_changes_without_a_version_are_all_applied(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    inputs: list[dict[str, object]] = [
        {"totalActiveUsers": 11},
        {"newUsersPerMinute": 22},
        {"message": "Hello"},
        {"queueAll": True},
    ]
    answers = await asyncio.gather(*[admin.configure(**input_) for input_ in inputs])
    assert [a["__typename"] for a in answers] == ["ConfigureWaitingRoomSuccess"] * 4
    assert sorted(a["settingsVersion"] for a in answers) == [2, 3, 4, 5]
    settings = await admin.settings()
    assert {name: settings[name] for input_ in inputs for name in input_} == {
        k: v for w in inputs for k, v in w.items()
    }
    assert [row["settingsVersion"] for row in (await admin.everything())["audit"]["nodes"]] == [5, 4, 3, 2]


async def test_cap_below_the_occupancy_stops_calls_and_keeps_passes(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, totalActiveUsers=3)
    await queue.join("ann", "ben", "cat", "dan")
    await queue.call()
    passes = [
        (await queue.result("claimQueuePass", person))["entry"]["pass"]["token"] for person in ("ann", "ben", "cat")
    ]
    assert (await admin.configure(totalActiveUsers=1))["settingsVersion"] == 2
    await queue.call()
    room = await admin.everything()
    assert (room["slotsTaken"], room["waitingCount"], room["servingNumber"]) == (3, 1, 3)
    assert [(await queue.read_entry(person))["pass"]["token"] for person in ("ann", "ben", "cat")] == passes
    assert (await admin.admit(1))["call"] == {"asked": 1, "called": 0, "limit": "TOTAL_ACTIVE_USERS"}
    await queue.result("leaveQueue", "ann")
    await queue.result("leaveQueue", "ben")
    assert (await queue.read_entry("dan"))["state"] == "WAITING"
    await queue.result("leaveQueue", "cat")
    assert (await queue.read_entry("dan"))["state"] == "READY"


async def test_pause_keeps_entries_and_stops_calls(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann", "ben")
    for version in (2, 2):
        answer = await admin.pause()
        assert (answer["settingsVersion"], answer["waitingRoom"]["status"]) == (version, "PAUSED")
    (entry,) = await queue.join("cat")
    assert (entry["number"], entry["position"], entry["state"]) == (3, 3, "WAITING")
    await queue.call()
    assert [(await queue.read_entry(person))["position"] for person in ("ann", "ben", "cat")] == [1, 2, 3]
    for version in (3, 3):
        answer = await admin.resume()
        assert (answer["settingsVersion"], answer["waitingRoom"]["status"]) == (version, "OPEN")
    await queue.call()
    assert [(await queue.read_entry(person))["state"] for person in ("ann", "ben", "cat")] == ["READY"] * 3
    room = await admin.everything()
    assert [(row["action"], row["settingsVersion"], row["changes"]) for row in room["audit"]["nodes"]] == [
        ("RESUMED", 3, [{"setting": "queueAll", "before": "true", "after": "false"}]),
        ("PAUSED", 2, [{"setting": "queueAll", "before": "false", "after": "true"}]),
    ]


async def test_admit_next_works_once_per_key_during_a_pause(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann", "ben", "cat")
    await admin.pause()
    key = new_key()
    for _ in range(2):
        answer = await admin.admit(2, key)
        assert answer["call"] == {"asked": 2, "called": 2, "limit": None}
        assert answer["waitingRoom"]["status"] == "PAUSED"
    assert [(await queue.read_entry(person))["state"] for person in ("ann", "ben", "cat")] == [
        "READY",
        "READY",
        "WAITING",
    ]
    before = await admin.everything()
    conflict = await admin.admit(1, key)
    assert conflict["__typename"] == "IdempotencyConflictError"
    assert await admin.everything() == before
    row = before["audit"]["nodes"][0]
    assert (row["action"], row["settingsVersion"], row["changes"]) == ("ADMITTED_NEXT", 2, [])
    assert row["call"] == {"asked": 2, "called": 2, "limit": None}
    assert [row["action"] for row in before["audit"]["nodes"]] == ["ADMITTED_NEXT", "PAUSED"]


async def test_concurrent_admit_next_with_the_same_key_takes_effect_once(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann", "ben", "cat")
    await admin.pause()
    key = new_key()
    answers = await asyncio.gather(*[admin.admit(1, key) for _ in range(5)])
    assert [answer["call"] for answer in answers] == [{"asked": 1, "called": 1, "limit": None}] * 5
    assert (await admin.everything())["slotsTaken"] == 1
    assert await admin.actions() == ["ADMITTED_NEXT", "PAUSED"]


@pytest.mark.parametrize(
    ("caps", "called", "limit"),
    [
        ({}, 3, "NOBODY_WAITS"),
        ({"totalActiveUsers": 2}, 2, "TOTAL_ACTIVE_USERS"),
        ({"newUsersPerMinute": 2}, 2, "NEW_USERS_PER_MINUTE"),
    ],
)
async def test_admit_next_says_why_it_called_fewer_people(
    shop: Shop, caps: dict[str, object], called: int, limit: str
) -> None:
    admin, queue = await open_room_admin(shop, queueAll=True, **caps)
    await queue.join("ann", "ben", "cat")
    key = new_key()
    assert (await admin.admit(1000, key))["call"] == {"asked": 1000, "called": called, "limit": limit}
    assert (await admin.admit(1000, key))["call"] == {"asked": 1000, "called": called, "limit": limit}
    assert (await admin.admit(1000))["call"] == {"asked": 1000, "called": 0, "limit": limit}
    assert (await admin.everything())["slotsTaken"] == called


@pytest.mark.parametrize("input_", [{"count": 0}, {"count": -1}, {"count": 1001}])
async def test_admit_next_with_an_invalid_count_changes_nothing(shop: Shop, input_: dict[str, object]) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann")
    before = await admin.everything()
    assert paths(await admin.result("admitNext", idempotencyKey=new_key(), **input_)) == ["count"]
    assert paths(await admin.result("admitNext", idempotencyKey=" ", count=1)) == ["idempotencyKey"]
    assert paths(await admin.reset("x" * 256)) == ["idempotencyKey"]
    assert await admin.everything() == before


CLOSED_ROOMS = [
    ({"suspended": True}, "SUSPENDED", False),
    ({"prequeueStartsAt": soon(hours=24), "opensAt": soon(hours=48)}, "SCHEDULED", True),
    ({"queueingMethod": "REJECT"}, "REJECTING", False),
]


@pytest.mark.parametrize(
    ("settings", "status", "is_known"), CLOSED_ROOMS, ids=[status for _, status, _ in CLOSED_ROOMS]
)
async def test_closed_room_refuses_joins_and_calls(
    shop: Shop, settings: dict[str, object], status: str, *, is_known: bool
) -> None:
    admin, queue = await open_room_admin(shop, **settings)
    before = await admin.everything()
    assert before["status"] == status
    refused = await admin.admit(1)
    assert (refused["code"], refused["status"]) == ("ROOM_NOT_OPEN", status)
    joined = await _join(shop, admin)
    assert (joined["code"], joined["status"]) == ("ROOM_NOT_OPEN", status)
    expected = settings["prequeueStartsAt"] if is_known else None
    assert joined["opensAt"] == refused["opensAt"] == expected
    assert await queue.read_entry("ann") is None
    assert await admin.everything() == before


async def test_prequeue_accepts_joins_and_refuses_calls(shop: Shop) -> None:
    opens_at = soon(hours=1)
    admin, queue = await open_room_admin(shop, opensAt=opens_at)
    (entry,) = await queue.join("ann")
    assert entry["state"] == "PREQUEUED"
    assert (await admin.everything())["status"] == "PREQUEUE"
    refused = await admin.admit(1)
    assert (refused["code"], refused["status"], refused["opensAt"]) == ("ROOM_NOT_OPEN", "PREQUEUE", opens_at)
    assert await admin.actions() == []


async def test_room_of_a_closed_concert_cannot_be_run(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await shop.fields(CLOSE, by="olivia", input={"concertId": admin.concert.id})
    before = await admin.everything()
    assert before["status"] == "CLOSED"
    assert (await _join(shop, admin))["status"] == "CLOSED"
    for verb, input_ in VERBS.items():
        answer = await admin.result(verb, **input_)
        if verb == "admitNext":
            assert (answer["code"], answer["status"]) == ("ROOM_NOT_OPEN", "CLOSED")
        else:
            assert (answer["code"], answer["illegal"]) == ("ILLEGAL_TRANSITION", "CLOSED"), verb
    assert await admin.everything() == before
    assert await queue.read_entry("ann") is None


async def _join(shop: Shop, admin: RoomAdmin) -> Answer:
    document = """mutation ($input: JoinQueueInput!) {
      joinQueue(input: $input) { ... on DomainError { code } ... on RoomNotOpenError { status opensAt } }
    }"""
    return (await shop.fields(document, by=f"ann {new_key()}", input={"concertId": admin.concert.id}))["joinQueue"]


async def test_room_of_a_draft_can_be_configured_but_not_run(shop: Shop) -> None:
    admin = RoomAdmin(shop, await shop.draft(waitingRoom={"suspended": False}))
    assert (await admin.everything())["status"] == "SCHEDULED"
    assert (await admin.configure(totalActiveUsers=7))["settingsVersion"] == 2
    assert (await admin.pause())["settingsVersion"] == 3
    before = await admin.everything()
    assert (before["totalActiveUsers"], before["queueAll"], before["status"]) == (7, True, "SCHEDULED")
    for verb in ("admitNext", "resetWaitingRoom"):
        answer = await admin.result(verb, **VERBS[verb])
        assert (answer["code"], answer["illegal"]) == ("ILLEGAL_TRANSITION", "DRAFT")
    assert await admin.everything() == before
    assert await admin.actions() == ["PAUSED", "CONFIGURED"]


@pytest.mark.parametrize("verb", list(VERBS))
async def test_room_of_an_unknown_concert_is_not_found(shop: Shop, verb: str) -> None:
    answer = await RoomAdmin(shop, (await shop.draft())).result(verb, **VERBS[verb] | {"concertId": UNKNOWN_CONCERT})
    assert (answer["__typename"], answer["code"]) == ("NotFoundError", "NOT_FOUND")
    answer = await RoomAdmin(shop, (await shop.draft())).result(verb, **VERBS[verb] | {"concertId": "nonsense"})
    assert paths(answer) == ["concertId"]


@pytest.mark.parametrize(
    ("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")], ids=["anonymous", "customer"]
)
@pytest.mark.parametrize("verb", list(VERBS))
async def test_only_organizers_may_run_a_room(shop: Shop, verb: str, by: str | None, code: str) -> None:
    admin, queue = await open_room_admin(shop, queueAll=verb == "resumeWaitingRoom")
    await queue.join("ann")
    before = await admin.everything()
    answer = await admin.ask(verb, by, **VERBS[verb])
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert await admin.everything() == before


@pytest.mark.parametrize(
    ("by", "code"), [(None, "UNAUTHENTICATED"), ("alice", "FORBIDDEN")], ids=["anonymous", "customer"]
)
async def test_only_organizers_see_flow_and_audit(shop: Shop, by: str | None, code: str) -> None:
    admin, _ = await open_room_admin(shop, totalActiveUsers=5)
    document = """query ($id: ID!) {
      waitingRoom(concertId: $id) { totalActiveUsers flow { joined } audit { nodes { personName } } }
      concert(id: $id) { waitingRoom { flow { joined } } }
    }"""
    answer = await shop.ask(document, by=by, id=admin.concert.id)
    assert answer["data"] == {
        "waitingRoom": {"totalActiveUsers": 5, "flow": None, "audit": None},
        "concert": {"waitingRoom": {"flow": None}},
    }
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code] * 3
