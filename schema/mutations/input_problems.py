"""The type that shows what is wrong with one field of an input."""

from typing import Self

import strawberry

from domain.inputs.problems import FieldProblem
from schema.enums import InputRule
from schema.scalars import SafeInt


@strawberry.type(description="A problem with one field of the input.")
class InputProblem:
    path: str = strawberry.field(description="The path of the field in the input, such as `lines.0.quantity`.")
    message: str = strawberry.field(description="What is wrong, and what is allowed, in English.")
    rule: InputRule = strawberry.field(
        description=("The rule that the value breaks. Its description says which of the other fields it sets.")
    )
    minimum: SafeInt | None = strawberry.field(description="The lowest number allowed. Null if the rule has none.")
    maximum: SafeInt | None = strawberry.field(description="The highest number allowed. Null if the rule has none.")
    given: SafeInt | None = strawberry.field(
        description="The number that was sent, or the length of what was sent. Null if the rule is not about a number."
    )
    step: SafeInt | None = strawberry.field(description="The number must be a multiple of this. Null for other rules.")
    position: int | None = strawberry.field(
        description=(
            "The position of the character in the text as it is stored, in Unicode code points, starting at 1. Null for"
            " other rules."
        )
    )
    other: str | None = strawberry.field(
        description="The name of the field with which the value conflicts. Null if there is none."
    )

    @classmethod
    def of(cls, problem: FieldProblem) -> Self:
        return cls(
            path=problem.path,
            message=problem.message,
            rule=problem.rule,
            minimum=_safe(problem.minimum),
            maximum=_safe(problem.maximum),
            given=_safe(problem.given),
            step=_safe(problem.step),
            position=problem.position,
            other=problem.other,
        )


def _safe(number: int | None) -> SafeInt | None:
    return None if number is None else SafeInt(number)
