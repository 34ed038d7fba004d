"""Limits on the size of a GraphQL document and on the cost of an operation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OperationLimits:
    """The defaults allow the largest document of any tool we know of: with its fragments expanded,
    GraphiQL's introspection query has 15 levels and 229 fields.
    """

    document_characters: int = 20_000
    document_tokens: int = 2_000
    depth: int = 15
    fields: int = 400
    """Validation time grows with the square of the number of equal fields; 400 take 0.1 s."""
    aliases: int = 30
    directives: int = 50
    root_fields: int = 20
    cost: int = 30_000
    """A page of 100 concerts with tiers, stock and waiting rooms costs 28,000."""
    introspection_cost: int = 400_000
    """Twice the cost of the largest introspection query of any tool we know of. Introspection runs
    in a thread.
    """


DEFAULT_LIMITS = OperationLimits()
