"""An outage is logged when it begins, once a minute, and when it ends, not for each failure."""

import logging

import pytest

from telemetry.outage_log import SUMMARY_EVERY_S, OutageLog

LOG = logging.getLogger("outage")


class Outage:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.log = OutageLog(LOG, "the store", clock=lambda: self.now_s)

    def fail(self, *users: str, seconds: float = 0.25) -> None:
        for user in users:
            self.log.failed(user, OSError("refused"))
        self.now_s += seconds


def test_outage_is_logged_once_and_summarized_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(40):
        outage.fail("a", "b")
    outage.log.succeeded("a")
    outage.log.succeeded("b")
    outage.log.succeeded("b")
    assert caplog.messages == [
        "the store failed, trying again: refused",
        "the store works again after 10 s and 80 failed attempts",
    ]


def test_long_outage_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(4 * 125):
        outage.fail("a")
    assert len(caplog.messages) == 3
    assert caplog.messages[1] == f"the store has failed for {SUMMARY_EVERY_S:.0f} s, 241 attempts: refused"


def test_line_names_what_the_failure_is_about(caplog: pytest.LogCaptureFixture) -> None:
    log = OutageLog(LOG, "recording orders")
    log.failed("concert", "RECOVERING", about="order a")
    assert caplog.messages == ["recording orders failed, trying again: order a: RECOVERING"]


def test_next_outage_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(2):
        outage.fail("a")
        outage.log.succeeded("a")
    assert len(caplog.messages) == 4


def test_forgotten_user_does_not_prolong_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    outage.fail("forgotten", "a")
    outage.log.forget("forgotten")
    outage.log.succeeded("a")
    assert caplog.messages[-1].startswith("the store works again")
    outage.fail("gone", seconds=SUMMARY_EVERY_S)
    outage.fail("a")
    assert caplog.messages[-2:] == ["the store failed, trying again: refused"] * 2
