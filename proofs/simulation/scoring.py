"""Compares predictions with outcomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from domain.stock import StockAhead
from proofs.simulation.outcomes import Prediction

CURVE_QUANTILE = 0.75
"""The chart shows, for each moment, the person this far down the queue (0 is the front)."""


@dataclass(frozen=True, slots=True)
class Score:
    """The accuracy of the predictions; shares range from 0 to 1.

    The errors and shares cover only people who were called.
    """

    answers: int
    never_called: int
    """Predictions for people who left, or were still waiting at the end of the sale."""
    without_band: int
    mean_wait_s: float
    mean_absolute_error_s: float
    """The mean difference between p50 and the actual wait."""
    median_relative_error: float
    within_p50: float
    within_p90: float
    mean_band_s: float
    """The mean difference between p50 and p90."""
    sold_out_said: int
    """How often SOLD_OUT was predicted.

    This count and those below include only people who later tried to hold tickets.
    """
    sold_out_wrong: int
    """How often the person found tickets after all."""
    foreseen_said: int
    """How often SOLD_OUT was predicted while tickets were still available."""
    foreseen_wrong: int
    available_said: int
    available_wrong: int
    """How often AVAILABLE was predicted but the person found no tickets."""


@dataclass(frozen=True, slots=True)
class Point:
    """A prediction and the actual wait, as one point of the chart."""

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
    """Return one point per moment, in chronological order."""
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
