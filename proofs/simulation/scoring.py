"""Scores of predictions against outcomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from domain.stock import StockAhead
from proofs.simulation.outcomes import Prediction

CURVE_QUANTILE = 0.75
"""The chart shows, for each moment, the wait of the person at this relative position."""


@dataclass(frozen=True, slots=True)
class Score:
    """The score of predictions for people who were called; times in seconds, shares from 0 to 1."""

    answers: int
    never_called: int
    """People who left before their call, or until the sale ended; their full wait is unknown."""
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
    """Predictions of SOLD_OUT.

    These and the counts below include only people who later tried to hold tickets.
    """
    sold_out_wrong: int
    """The person found tickets."""
    foreseen_said: int
    """Predictions of SOLD_OUT while tickets were available."""
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


def score_predictions(predictions: Sequence[Prediction]) -> Score:
    points = list(_points(predictions))
    tried = [prediction for prediction in predictions if prediction.stay.found_tickets is not None]
    sold_out = [prediction for prediction in tried if prediction.stock_ahead is StockAhead.SOLD_OUT]
    foreseen = [prediction for prediction in sold_out if prediction.free]
    available = [prediction for prediction in tried if prediction.stock_ahead is StockAhead.AVAILABLE]
    return Score(
        answers=len(predictions),
        never_called=sum(prediction.stay.called_s is None for prediction in predictions),
        without_band=sum(prediction.p50_s is None for prediction in predictions),
        mean_wait_s=_mean(point.waited_s for point in points),
        mean_absolute_error_s=_mean(abs(point.waited_s - point.p50_s) for point in points),
        median_relative_error=median([abs(p.waited_s - p.p50_s) / max(p.waited_s, 1) for p in points] or [0.0]),
        within_p50=_mean(point.waited_s <= point.p50_s for point in points),
        within_p90=_mean(point.waited_s <= point.p90_s for point in points),
        mean_band_s=_mean(point.p90_s - point.p50_s for point in points),
        sold_out_said=len(sold_out),
        sold_out_wrong=sum(prediction.stay.found_tickets is True for prediction in sold_out),
        foreseen_said=len(foreseen),
        foreseen_wrong=sum(prediction.stay.found_tickets is True for prediction in foreseen),
        available_said=len(available),
        available_wrong=sum(prediction.stay.found_tickets is False for prediction in available),
    )


def curve(predictions: Sequence[Prediction]) -> list[Point]:
    """Return one point per moment, in order."""
    moments: dict[float, list[Point]] = {}
    for point in _points(predictions):
        moments.setdefault(point.at_s, []).append(point)
    ordered = [sorted(points, key=lambda point: point.position) for _, points in sorted(moments.items())]
    return [points[int(len(points) * CURVE_QUANTILE)] for points in ordered]


def _points(predictions: Iterable[Prediction]) -> Iterable[Point]:
    for prediction in predictions:
        called_s, p50_s, p90_s = prediction.stay.called_s, prediction.p50_s, prediction.p90_s
        if called_s is not None and p50_s is not None and p90_s is not None:
            yield Point(prediction.at_s, prediction.position, p50_s, p90_s, called_s - prediction.at_s)


def _mean(values: Iterable[float]) -> float:
    return fmean(list(values) or [0.0])
