"""How long somebody will wait: a band, from the rate at which the line was seen to move."""

from dataclasses import dataclass

from domain.flow import Flow


@dataclass(frozen=True, slots=True)
class WaitEstimate:
    """Half of the people wait at most `p50_s`, nine of ten at most `p90_s`, in seconds from now."""

    p50_s: int
    p90_s: int


def estimate_wait(position: int, flow: Flow) -> WaitEstimate | None:
    """For somebody who waits at `position`. None while nothing was measured that could tell."""
    called = sum(flow.called_lately)
    if not called:
        return None
    seconds = position * len(flow.called_lately) * 10 / called
    return WaitEstimate(round(seconds), round(seconds * 2))
