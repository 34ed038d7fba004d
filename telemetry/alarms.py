"""Alarms: conditions that an operator must look into. docs/runbook.md says what to do about each.

An alarm is a log line `ALARM <name>: …` and a counter. The line names the order, the payment or
the ticket.
"""

import logging
from enum import StrEnum

from telemetry import counters


class Alarm(StrEnum):
    ORDER_WAITS = "order_waits"
    """A step of an order has been due for over two minutes and cannot be done."""
    REFUND_FAILED = "refund_failed"
    """A refund failed at the bank; it is repeated."""
    EVENT_REPORTED = "event_reported"
    """A payment event could not be applied for 72 hours."""
    FACTS_MISSED = "facts_missed"
    """The provider has changed payments without telling us; the orders have been repaired."""
    UNKNOWN_INTENT = "unknown_intent"
    """The provider has an unpaid intent of this installation for an order that does not exist."""
    MONEY_WITHOUT_ORDER = "money_without_order"
    """The provider has taken money for an order that does not exist."""
    PAID_WITHOUT_SUCCESS = "paid_without_success"
    """An order is paid, but the provider has not received the money."""
    AMOUNT_DIFFERS = "amount_differs"
    """The amount or currency of an intent differs from its order's."""
    MAILS_WAIT = "mails_wait"
    """The mail server has not worked for ten minutes."""
    MAIL_GIVEN_UP = "mail_given_up"
    """A mail was refused, or could not be sent for 72 hours; it is a dead letter."""
    CHECKED_IN_TWICE = "checked_in_twice"
    """Two scanners, at least one of them offline, have admitted people with the same ticket."""
    DEAD_CODE_ADMITTED = "dead_code_admitted"
    """An offline scanner has admitted a person with a revoked code."""
    EFFECT_WAITS = "effect_waits"
    """An effect of an order, such as its document, has failed for ten minutes."""


for _alarm in Alarm:
    # Created now, so that a scrape shows 0 and the first alarm is an increase.
    counters.alarms.labels(_alarm.value)


def raise_alarm(log: logging.Logger, alarm: Alarm, text: str) -> None:
    counters.alarms.labels(alarm.value).inc()
    log.error("ALARM %s: %s", alarm.value, text)
