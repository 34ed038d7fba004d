"""Formats the scores as a table and as a JSON document."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from proofs.simulation.scoring import Point, Score

HEAD = (
    f"{'scenario':16}{'answers':>9}{'no band':>9}{'wait s':>9}{'MAE s':>8}{'median rel':>12}{'<= p50':>8}{'<= p90':>8}"
    f"{'band s':>8}{'sold out, wrong':>18}{'foreseen, wrong':>18}{'available, wrong':>18}"
)


def table(scores: Mapping[str, Score]) -> str:
    return "\n".join([HEAD, *(_row(name, score) for name, score in scores.items())])


def make_document(
    scores: Mapping[str, Score], curves: Mapping[str, list[Point]], *, seeds: list[int], lasted_s: float
) -> dict[str, Any]:
    rounded = {name: {key: round(value, 4) for key, value in asdict(score).items()} for name, score in scores.items()}
    points = {name: [list(asdict(point).values()) for point in curve] for name, curve in curves.items()}
    return {"seeds": seeds, "lasted_s": round(lasted_s, 1), "scores": rounded, "curves": points}


def _row(name: str, score: Score) -> str:
    return (
        f"{name:16}{score.answers:>9,}{score.without_band:>9,}{score.mean_wait_s:>9.0f}{score.mean_absolute_error_s:>8.1f}"
        f"{score.median_relative_error:>12.1%}{score.within_p50:>8.0%}{score.within_p90:>8.0%}{score.mean_band_s:>8.1f}"
        f"{_of(score.sold_out_wrong, score.sold_out_said):>18}{_of(score.foreseen_wrong, score.foreseen_said):>18}"
        f"{_of(score.available_wrong, score.available_said):>18}"
    )


def _of(wrong: int, predicted: int) -> str:
    return f"{wrong:,} of {predicted:,}" if predicted else "-"
