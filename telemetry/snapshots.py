"""The metrics of a process at one moment, as JSON that its supervisor reads.

A snapshot is a list of families, each `[name, description, type, samples]`; a sample is `[name,
labels, value]`.
"""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from telemetry.collector import PROCESS_REGISTRY

CREATED = "_created"
"""The time at which a counter began. It means nothing for a sum of counters."""


def take_snapshot() -> list[Any]:
    """Return the metrics of this process as a value for `json.dumps`."""
    return [_encode(family) for family in PROCESS_REGISTRY.collect()]


def read_snapshot(encoded: Iterable[Any]) -> list[Metric]:
    """Return the families of a snapshot. Raises ValueError or TypeError if it is not one."""
    return [_decode(*family) for family in encoded]


def _encode(family: Metric) -> list[Any]:
    samples = [
        [sample.name, sample.labels, sample.value] for sample in family.samples if not sample.name.endswith(CREATED)
    ]
    return [family.name, family.documentation, family.type, samples]


def _decode(name: str, description: str, kind: str, samples: Iterable[Any]) -> Metric:
    family = Metric(name, description, kind)
    family.samples = [Sample(name, labels, value) for name, labels, value in samples]
    return family
