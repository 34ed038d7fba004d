"""Waiting-room settings: both sides of each bound, and how changes are recorded."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.inputs.rooms import room_problems
from domain.queues import NO_ROOM, QueueingMethod, RoomSettings
from domain.room_changes import RoomSettingsPatch, SettingChange, diff_room_settings
from domain.validation import draft_problems
from tests.support.sale import draft

CONCERT = draft(10)
START, END = CONCERT.terms.sales_start_at, CONCERT.terms.sales_end_at
MS = timedelta(milliseconds=1)
OTHER: dict[str, Any] = {
    "suspended": False,
    "queueing_method": QueueingMethod.REJECT,
    "total_active_users": 7,
    "new_users_per_minute": 8,
    "pass_claim_timeout_ms": 9_000,
    "session_duration_ms": 10_000,
    "prequeue_starts_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "opens_at": datetime(2026, 1, 2, 3, 4, 5, 6_000, tzinfo=UTC),
    "shuffle_at_start": True,
    "queue_all": True,
    "heartbeat_timeout_ms": 11_000,
    "proof_of_work_bits": 12,
    "disconnect_grace_ms": 12_000,
    "message": "Hello",
    "round": 2,
    "commitment": "ab",
}


def invalid_paths(**settings: Any) -> list[str]:
    made = replace(CONCERT, room=replace(NO_ROOM, **settings))
    found = [problem.path for problem in room_problems("room", made)]
    assert [problem.path for problem in draft_problems(made)] == [path.replace("room", "waitingRoom") for path in found]
    return [path.removeprefix("room.") for path in found]


@pytest.mark.parametrize(
    ("name", "path", "unit", "highest"),
    [
        ("total_active_users", "totalActiveUsers", 1, 1_000_000),
        ("new_users_per_minute", "newUsersPerMinute", 1, 1_000_000),
        ("pass_claim_timeout_ms", "passClaimTimeoutSeconds", 1_000, 7_200),
        ("session_duration_ms", "sessionDurationSeconds", 1_000, 7_200),
        ("heartbeat_timeout_ms", "heartbeatTimeoutSeconds", 1_000, 7_200),
        ("disconnect_grace_ms", "disconnectGraceSeconds", 1_000, 7_200),
    ],
)
def test_number_settings_are_bounded(name: str, path: str, unit: int, highest: int) -> None:
    for value in (1, highest):
        assert invalid_paths(**{name: value * unit}) == []
    for value in (-1, 0, highest + 1):
        assert invalid_paths(**{name: value * unit}) == [path]


@pytest.mark.parametrize(
    ("opens_at", "is_good"), [(None, True), (START, True), (START - MS, False), (END - MS, True), (END, False)]
)
def test_room_must_open_during_the_sale(opens_at: datetime | None, *, is_good: bool) -> None:
    assert invalid_paths(opens_at=opens_at) == ([] if is_good else ["opensAt"])


@pytest.mark.parametrize(
    ("prequeue", "opens_at", "is_good"),
    [
        (None, None, True),
        (START - MS, None, True),
        (START, None, False),
        (START + timedelta(hours=1) - MS, START + timedelta(hours=1), True),
        (START + timedelta(hours=1), START + timedelta(hours=1), False),
        (datetime(2000, 1, 1, tzinfo=UTC), None, True),
        (datetime(1999, 12, 31, tzinfo=UTC), None, False),
    ],
)
def test_prequeue_must_start_before_the_opening(
    prequeue: datetime | None, opens_at: datetime | None, *, is_good: bool
) -> None:
    assert invalid_paths(prequeue_starts_at=prequeue, opens_at=opens_at) == ([] if is_good else ["prequeueStartsAt"])


@pytest.mark.parametrize("method", list(QueueingMethod))
def test_only_a_queue_in_order_of_arrival_can_be_shuffled(method: QueueingMethod) -> None:
    """A room that temporarily rejects people keeps its queue in order of arrival."""
    assert invalid_paths(queueing_method=method) == []
    is_good = method in (QueueingMethod.FIFO, QueueingMethod.REJECT)
    assert invalid_paths(queueing_method=method, shuffle_at_start=True) == ([] if is_good else ["shuffleAtStart"])


@pytest.mark.parametrize(
    ("message", "is_good"),
    [("", True), ("Doors at eight.\nBring water.", True), ("x" * 500, True), ("x" * 501, False), ("\a", False)],
)
def test_message_must_be_short_plain_text(message: str, *, is_good: bool) -> None:
    assert invalid_paths(message=message) == ([] if is_good else ["message"])


@pytest.mark.parametrize("name", list(OTHER))
def test_change_to_any_setting_is_recorded_under_its_name(name: str) -> None:
    after = replace(NO_ROOM, version=9, **{name: OTHER[name]})
    assert RoomSettingsPatch(((name, OTHER[name]),)).apply_to(replace(NO_ROOM, version=9)) == after
    (change,) = diff_room_settings(NO_ROOM, after)
    (back,) = diff_room_settings(after, NO_ROOM)
    assert (back.setting, back.before, back.after) == (change.setting, change.after, change.before)


def test_changes_to_all_settings_except_the_version_are_recorded() -> None:
    assert set(OTHER) == {field.name for field in fields(RoomSettings)} - {"version"}
    assert diff_room_settings(NO_ROOM, replace(NO_ROOM, version=2)) == ()
    changes = diff_room_settings(NO_ROOM, replace(NO_ROOM, **OTHER))
    assert SettingChange("suspended", "true", "false") in changes
    assert SettingChange("queueingMethod", "FIFO", "REJECT") in changes
    assert SettingChange("passClaimTimeoutSeconds", "60", "9") in changes
    assert SettingChange("prequeueStartsAt", "", "2026-01-02T03:04:05Z") in changes
    assert SettingChange("opensAt", "", "2026-01-02T03:04:05.006Z") in changes
    assert SettingChange("message", "", "Hello") in changes
    assert SettingChange("round", "1", "2") in changes
    assert len(changes) == len(OTHER)


def test_fingerprint_does_not_depend_on_the_order_of_settings() -> None:
    given = (("opens_at", None), ("total_active_users", 7), ("suspended", False))
    assert (
        RoomSettingsPatch(given).fingerprint_parts()
        == RoomSettingsPatch(given[::-1]).fingerprint_parts()
        == (
            "opensAt=",
            "suspended=false",
            "totalActiveUsers=7",
        )
    )
    assert RoomSettingsPatch().fingerprint_parts() == ()
    assert RoomSettingsPatch((("message", ""),)).fingerprint_parts() == ("message=",)
