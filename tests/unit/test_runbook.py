"""docs/runbook.md has an entry for every alarm and for every value of the payment gauges."""

import re
from pathlib import Path

import pytest

from storage.mongo.payments.payment_figures import SHOWN_STATES, StuckReason
from telemetry.alarms import Alarm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text()
ALARMS, GAUGES = PAGE.split("\n## Gauges\n")
ENTRIES = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", ALARMS, re.MULTILINE | re.DOTALL))


def test_every_alarm_has_an_entry_and_every_entry_an_alarm() -> None:
    assert sorted(ENTRIES) == sorted(alarm.value for alarm in Alarm)


@pytest.mark.parametrize("alarm", Alarm)
def test_each_entry_names_symptom_meaning_check_and_repair(alarm: Alarm) -> None:
    parts = re.findall(r"^- \*\*(.+?):\*\* \S", ENTRIES[alarm.value], re.MULTILINE)
    assert parts == ["Symptom", "Meaning", "First check", "Repair"]


def test_every_value_of_the_gauges_has_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", GAUGES, re.MULTILINE)
    values = ["onsale_stuck_orders", *StuckReason, "onsale_payment_inbox", *[state.lower() for state in SHOWN_STATES]]
    assert rows == values


def test_every_alarm_is_raised_and_only_one_module_writes_alarms() -> None:
    product = [
        path
        for folder in ("domain", "payments", "resolvers", "storage", "web", "workers", "telemetry")
        for path in (ROOT / folder).rglob("*.py")
    ]
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in product}
    assert [name for name, source in sources.items() if re.search(r"[\"']ALARM ", source)] == ["telemetry/alarms.py"]
    raised = set(re.findall(r"\bAlarm\.([A-Z_]+)\b", "".join(sources.values())))
    assert raised == {alarm.name for alarm in Alarm}
