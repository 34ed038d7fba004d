"""Scores of predictions against outcomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.simulation.outcomes import Prediction
from domain.stock import StockAhead

CURVE_PLACE = 0.75
"""The wait drawn for each moment: of the people asked then, the one at this relative position."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of predictions for people who were called; times in seconds, shares from 0 to 1."""

    answers: int
    never_called: int
    """Left before their call, or the sale ended first: their full wait is unknown."""
    without_band: int
    mean_wait_s: float
    mean_absolute_error_s: float
    """Error of p50."""
    median_relative_error: float
    within_p50: float
    within_p90: float
    mean_band_s: float
    """From p50 to p90."""
    sold_out_said: int
    """Predictions for people who later looked for tickets;
    this also applies to the counts below.
    """
    sold_out_wrong: int
    """The person found tickets."""
    foreseen_said: int
    """SOLD_OUT while tickets were free."""
    foreseen_wrong: int
    available_said: int
    available_wrong: int
    """The person found no tickets."""


@dataclass(frozen=True, slots=True)
class Point:
    """One prediction in the chart."""

    at_s: float
    position: int
    p50_s: int
    p90_s: int
    waited_s: float


def score_predictions(told: Sequence[Prediction]) -> Score:
    points = list(_points(told))
    looked = [answer for answer in told if answer.place.found_tickets is not None]
    sold_out = [answer for answer in looked if answer.stock_ahead is StockAhead.SOLD_OUT]
    foreseen = [answer for answer in sold_out if answer.free]
    available = [answer for answer in looked if answer.stock_ahead is StockAhead.AVAILABLE]
    return Score(
        answers=len(told),
        never_called=sum(answer.place.called_s is None for answer in told),
        without_band=sum(answer.p50_s is None for answer in told),
        mean_wait_s=_mean(point.waited_s for point in points),
        mean_absolute_error_s=_mean(abs(point.waited_s - point.p50_s) for point in points),
        median_relative_error=median([abs(p.waited_s - p.p50_s) / max(p.waited_s, 1) for p in points] or [0.0]),
        within_p50=_mean(point.waited_s <= point.p50_s for point in points),
        within_p90=_mean(point.waited_s <= point.p90_s for point in points),
        mean_band_s=_mean(point.p90_s - point.p50_s for point in points),
        sold_out_said=len(sold_out),
        sold_out_wrong=sum(answer.place.found_tickets is True for answer in sold_out),
        foreseen_said=len(foreseen),
        foreseen_wrong=sum(answer.place.found_tickets is True for answer in foreseen),
        available_said=len(available),
        available_wrong=sum(answer.place.found_tickets is False for answer in available),
    )


def curve(told: Sequence[Prediction]) -> list[Point]:
    """Return one point per moment, in order."""
    moments: dict[float, list[Point]] = {}
    for point in _points(told):
        moments.setdefault(point.at_s, []).append(point)
    ordered = [sorted(points, key=lambda point: point.position) for _, points in sorted(moments.items())]
    return [points[int(len(points) * CURVE_PLACE)] for points in ordered]


def _points(told: Iterable[Prediction]) -> Iterable[Point]:
    for answer in told:
        called_s, p50_s, p90_s = answer.place.called_s, answer.p50_s, answer.p90_s
        if called_s is not None and p50_s is not None and p90_s is not None:
            yield Point(answer.at_s, answer.position, p50_s, p90_s, called_s - answer.at_s)


def _mean(values: Iterable[float]) -> float:
    return fmean(list(values) or [0.0])
