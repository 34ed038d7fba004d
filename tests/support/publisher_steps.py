"""Test steps for a concert publisher that reads a fake queue and is run only by the test."""

import logging

from domain.ids import ConcertId, PersonId
from domain.topics import QueueTopic
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.subscriber_groups import Subscriber
from telemetry.outage_log import OutageLog
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.snapshots import CONCERT

FIRST_TEN_ONLY = PushIntervals(((10, 0.0),), 1_000.0)
"""The first ten people receive every change, and the others receive none during a test."""
EVERY_REFRESH = PushIntervals((), 0.0)


def make_outage_log() -> OutageLog:
    return OutageLog(logging.getLogger(__name__), "publishing concerts")


def make_publisher(
    queue: FakeQueue,
    push_intervals: PushIntervals = FIRST_TEN_ONLY,
    *,
    concert_id: ConcertId = CONCERT.id,
    outage: OutageLog | None = None,
) -> ConcertPublisher:
    return ConcertPublisher(
        concert_id, queue, queue, tick_s=0.001, push_intervals=push_intervals, outage=outage or make_outage_log()
    )


def queue_topic(number: int) -> QueueTopic:
    """Return the topic of the person with this number."""
    return QueueTopic(CONCERT.id, PersonId(f"p{number}"))


def add_subscriber(publisher: ConcertPublisher, recorder: SnapshotRecorder) -> Subscriber:
    subscriber = Subscriber(recorder, recorder.deliver)
    publisher.add(subscriber)
    return subscriber


def add_people(publisher: ConcertPublisher, *numbers: int) -> list[SnapshotRecorder]:
    recorders = [SnapshotRecorder(queue_topic(number)) for number in numbers]
    for recorder in recorders:
        add_subscriber(publisher, recorder)
    return recorders
