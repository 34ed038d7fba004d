"""The metrics of a supervisor and its children, as one page for Prometheus.

Each child has half a second to answer; all are asked at the same time. A child that does not answer
is counted, and its last values are shown, so that no total falls.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telemetry.collector import PROCESS_REGISTRY
from telemetry.merging import MergedMetrics, is_summed
from telemetry.metrics import process_silences
from web.processes.child import Child
from web.processes.kept_process import KeptProcess

WITHIN_S = 0.5
SUPERVISOR = "supervisor"


class ProcessMetrics:
    def __init__(self, processes: Sequence[KeptProcess]) -> None:
        self._processes = processes
        for process in processes:
            process_silences.show(process.name)
        self._merged = MergedMetrics()

    def keep(self, child: Child) -> None:
        """Keep the last counts of a child that has ended."""
        self._merged.add_ended(child.metrics)

    async def show(self) -> bytes:
        """Ask all children for their metrics, and return the page."""
        answers = await asyncio.gather(*map(_ask, self._processes))
        up = GaugeMetricFamily("onsale_process_up", "1 if the process has answered, otherwise 0.", labels=["process"])
        for process, has_answered in zip(self._processes, answers, strict=True):
            up.add_metric([process.name], float(has_answered))
        current = {
            process.name: _own_levels(process.name, child.metrics)
            for process in self._processes
            if (child := process.child) is not None
        }
        current[SUPERVISOR] = _own_levels(SUPERVISOR, PROCESS_REGISTRY.collect())
        leaving = [
            process.leaving.metrics
            for process in self._processes
            # Those that have ended are counted already.
            if process.leaving is not None and not process.leaving.has_ended
        ]
        return expose([up, *self._merged.merge(current, leaving)])


def expose(families: Iterable[Metric]) -> bytes:
    """Return the families in Prometheus format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def _ask(process: KeptProcess) -> bool:
    """Ask the current child, and the one that is leaving. Returns whether the current one has
    answered.
    """
    if process.leaving is not None:
        # Its last metrics come when it ends.
        process.leaving.ask_for_metrics()
    child = process.child
    has_answered = child is not None and await child.refresh_metrics(WITHIN_S)
    if not has_answered:
        process_silences.add(process.name)
    return has_answered


def _own_levels(name: str, families: Iterable[Metric]) -> list[Metric]:
    """Return the families without levels that mean nothing for the process, such as the open
    sockets of the workers.
    """
    is_server = name.startswith("server-")
    return [family for family in families if is_server or is_summed(family) or not family.name.startswith("onsale_")]
