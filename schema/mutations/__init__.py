"""The mutations with their inputs and results; each mutation reads fresh values."""

from collections.abc import Callable

from graphql import GraphQLResolveInfo, GraphQLSchema

from resolvers.context import Context
from schema.plans.plain_fields import wrap_resolvers


def clear_before_mutations(schema: GraphQLSchema) -> None:
    """Clear the context's memos before each mutation, so that its result shows the new state."""
    for field in schema.mutation_type.fields.values() if schema.mutation_type else ():
        wrap_resolvers(field, _clearing)


def _clearing(resolve: Callable[..., object]) -> Callable[..., object]:
    def clearing(source: object, info: GraphQLResolveInfo[Context], **arguments: object) -> object:
        info.context.clear()
        return resolve(source, info, **arguments)

    return clearing
