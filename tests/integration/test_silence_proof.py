"""The proof of a silent store, in a short version, and its judgment."""

from dataclasses import replace

from proofs.silence.proof import Answer, Outcome, prove
from storage.embedded.process import ServerProcess
from storage.silence import SILENT_AFTER_S

RIGHT = Outcome(
    during=[Answer(0.0, 0.0, is_held=False)] * 9 + [Answer(0.0, 3.0, is_held=False)],
    back_after_s=0.1,
    held_by_answers=5,
    unanswered=10,
    held_in_store=6,
)


async def test_stock_is_right_after_a_silence(own_valkey: ServerProcess, mongo_url: str, fresh_database: str) -> None:
    outcome = await prove(own_valkey, mongo_url, fresh_database, SILENT_AFTER_S)
    assert outcome.back_after_s is not None
    assert outcome.held_by_answers <= outcome.held_in_store <= outcome.held_by_answers + outcome.unanswered


def test_right_outcome_has_no_violation() -> None:
    assert list(RIGHT.violations()) == []


def test_each_wrong_outcome_is_a_violation() -> None:
    slow = [Answer(0.0, 6.2, is_held=False)] * 10
    assert list(replace(RIGHT, during=slow).violations()) == [
        "the median wait is 6.20 s",
        "the longest wait is 6.20 s",
    ]
    assert len(list(replace(RIGHT, back_after_s=None).violations())) == 1
    assert len(list(replace(RIGHT, held_in_store=4).violations())) == 1
    assert len(list(replace(RIGHT, held_in_store=16).violations())) == 1
