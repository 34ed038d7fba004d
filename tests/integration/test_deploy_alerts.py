"""promtool accepts the shipped alert rules. Each fires for an example, and none in a quiet shop."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import Counter

from telemetry import counters, metrics
from telemetry.alarms import Alarm
from tests.support.prometheus import needs_prometheus

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "onsale-rules.yml").read_text())["groups"][0]["rules"]
BY_NAME: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in RULES}

Series = dict[str, str]
SOON = "30m"
"""Longer than all rules wait, but one."""


def histogram(name: str, slow: str, *, labels: str = "") -> Series:
    """Return a histogram that grows only above this bound: all of its values are slower."""
    comma = "," if labels else ""
    return {
        f'{name}_bucket{{{labels}{comma}le="{slow}"}}': "0+0x40",
        f'{name}_bucket{{{labels}{comma}le="+Inf"}}': "0+60x40",
    }


EXAMPLES: dict[str, tuple[Series, dict[str, str]]] = {
    "OnsaleDown": ({'up{job="onsale", instance="a"}': "0x40"}, {"job": "onsale", "instance": "a"}),
    "OnsaleStoreAway": ({"onsale_queue_gauges_read": "0x40", "onsale_payment_gauges_read": "1x40"}, {}),
    "OnsaleUnavailable": ({'onsale_refusals_total{code="UNAVAILABLE"}': "0+120x40"}, {}),
    "OnsaleInternalErrors": ({'onsale_refusals_total{code="INTERNAL"}': "0+1x40"}, {}),
    "OnsaleQueueOvershoot": (
        {'onsale_queue_overshoot{concert="c", cap="slots"}': "1x40"},
        {"concert": "c", "cap": "slots"},
    ),
    "OnsaleAdmissionLate": (histogram("onsale_worker_delay_seconds", "2.5", labels='worker="admission"'), {}),
    "OnsaleEventLoopLag": (
        histogram("onsale_event_loop_lag_seconds", "0.25", labels='instance="a"'),
        {"instance": "a"},
    ),
    "OnsalePipelineSlow": (histogram("onsale_pipeline_seconds", "0.25", labels='instance="a"'), {"instance": "a"}),
    "OnsalePipelineLong": (histogram("onsale_pipeline_calls", "512", labels='instance="a"'), {"instance": "a"}),
    "OnsalePushesUnsent": ({'onsale_oldest_unsent_push_seconds{instance="a"}': "11x40"}, {"instance": "a"}),
    "OnsaleSocketsFailed": ({'onsale_sockets_ended_total{reason="FAILED"}': "0+1x40"}, {}),
    "OnsaleSocketsRefused": ({'onsale_sockets_ended_total{reason="TRY_AGAIN_LATER"}': "0+120x40"}, {}),
    "OnsaleTokensUnverifiable": ({'onsale_token_checks_total{result="unavailable"}': "0+120x40"}, {}),
    "OnsaleWebhooksRefused": (
        {'onsale_payment_webhooks_total{outcome="mismatched"}': "0+6x40"},
        {"outcome": "mismatched"},
    ),
    "OnsaleOrdersStuck": ({'onsale_stuck_orders{reason="refund_due"}': "1x40"}, {"reason": "refund_due"}),
    "OnsaleRefundsPending": ({'onsale_stuck_orders{reason="refund_pending"}': "1x1500"}, {}),
    "OnsaleOrderWorkLate": ({"onsale_oldest_due_order_seconds": "121x40"}, {}),
    "OnsalePaymentEventsKept": ({'onsale_payment_inbox{state="parked"}': "1x40"}, {"state": "parked"}),
    **{
        f"OnsaleAlarm {alarm.value}": (
            {f'onsale_alarms_total{{alarm="{alarm.value}"}}': "0+1x40"},
            {"alarm": alarm.value},
        )
        for alarm in Alarm
    },
}
"""For each alert, series that make it fire, and the labels with which it fires. The rule
OnsaleAlarm has one for each alarm.
"""


def test_each_alert_has_an_example() -> None:
    assert {name.split()[0] for name in EXAMPLES} == BY_NAME.keys()


def test_each_metric_in_a_rule_exists() -> None:
    kept = {family.name for family in (*metrics.COUNTS, *metrics.HISTOGRAMS, *metrics.LEVELS)}
    counted = {next(iter(value.describe())).name for value in vars(counters).values() if isinstance(value, Counter)}
    named = {word for rule in RULES for word in _metrics_in(rule["expr"])}
    assert len(named) > 12
    assert named - kept - counted - _gauges() == set()


def _metrics_in(expression: str) -> set[str]:
    words = {word.strip("(){}[],") for word in expression.replace("{", " {").replace("[", " [").split()}
    found = {word for part in words for word in part.split("(") if word.startswith("onsale_")}
    return {word.removesuffix("_total").removesuffix("_bucket") for word in found}


def _gauges() -> set[str]:
    """Return the names of the gauges that are read from the stores, from their sources."""
    folder = Path(__file__).parents[2] / "web" / "monitoring"
    sources = "".join(path.read_text() for path in folder.glob("*_gauges.py"))
    named = {word for word in sources.split('"') if word.startswith("onsale_") and word.isidentifier()}
    return named | {"onsale_queue_gauges_read", "onsale_payment_gauges_read"}


@needs_prometheus
def test_promtool_accepts_the_shipped_files(tmp_path: Path) -> None:
    for file in FOLDER.glob("*.yml"):
        shutil.copy(file, tmp_path)
    assert _promtool("check", "rules", "onsale-rules.yml", folder=tmp_path) == 0
    assert _promtool("check", "config", "prometheus.yml", folder=tmp_path) == 0


@needs_prometheus
def test_each_alert_fires_for_its_cause_and_not_without_it(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "onsale-rules.yml", tmp_path)
    cases = [_case(name, *example) for name, example in EXAMPLES.items()]
    # A quiet shop: each metric is there, and nothing happens.
    quiet = {series: "0x40" for name, (made, _) in EXAMPLES.items() for series in made}
    quiet |= {'up{job="onsale", instance="a"}': "1x40"}
    quiet |= {"onsale_queue_gauges_read": "1x40", "onsale_payment_gauges_read": "1x40"}
    cases.append(_test(quiet, [{"alertname": name, "eval_time": SOON, "exp_alerts": []} for name in BY_NAME]))
    # promtool reads YAML, of which JSON is a part.
    tests = {"rule_files": ["onsale-rules.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "tests.yml").write_text(json.dumps(tests))
    assert _promtool("test", "rules", "tests.yml", folder=tmp_path) == 0


def _case(name: str, series: Series, labels: dict[str, str]) -> dict[str, object]:
    rule = BY_NAME[name.split()[0]]
    summary = rule["annotations"]["summary"].replace("{{ $labels.alarm }}", labels.get("alarm", ""))
    fired = {"exp_labels": rule["labels"] | labels, "exp_annotations": {"summary": summary}}
    check = {"alertname": rule["alert"], "eval_time": _time_for(rule), "exp_alerts": [fired]}
    return _test(series, [check])


def _time_for(rule: dict[str, Any]) -> str:
    return "25h" if rule.get("for") == "1d" else SOON


def _test(series: Series, checks: list[dict[str, object]]) -> dict[str, object]:
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": inputs, "alert_rule_test": checks}


def _promtool(*arguments: str, folder: Path) -> int:
    ran = subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, check=False, timeout=120)  # noqa: S607
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()
    return ran.returncode
