"""The real SDL with generated resolvers: values, nulls, all kinds of errors, sync and async.

What a field returns follows from a seed, its coordinate, its object and its arguments, so two
executions of an operation get the same. Every call is recorded.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    build_schema,
    is_abstract_type,
    is_composite_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

from domain import errors as domain_errors
from domain.inputs.problems import FieldProblem, InputRule
from schema import CORE_SCHEMA, sdl
from schema.plans.plain_fields import PlainField, add_check, all_fields, set_plain_field

_ERRORS = (
    lambda: ValueError("a value"),
    lambda: KeyError("key"),
    lambda: RuntimeError(""),
    lambda: GraphQLError("in its own words", extensions={"code": "OWN"}),
    lambda: GraphQLError("wrapped", original_error=ValueError("inner")),
    lambda: domain_errors.Unauthenticated("sign in"),
    lambda: domain_errors.Forbidden("not yours"),
    lambda: domain_errors.SessionLost(),
    lambda: domain_errors.BadUserInput("bad"),
    lambda: domain_errors.TemporarilyUnavailable("the store is down"),
    lambda: domain_errors.NotFound("Concert", "abc"),
    lambda: domain_errors.InvalidInput(FieldProblem("lines.0", "is wrong", InputRule.INVALID_ID)),
)
_LEAVES: dict[str, tuple[object, ...]] = {
    "String": ("", "text", 'é " \\', 7, True),
    "ID": ("id", "Q29uY2VydDphYmM", 5),
    "Int": (0, 1, -5, 2**31 - 1, 3.0, True, "12"),
    "Float": (0.5, 1.0, 2, "1.5"),
    "Boolean": (True, False, 1, 0.0),
    "DateTime": (datetime(2026, 12, 31, 20, 0, 0, 123456, tzinfo=UTC), datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)),
    "OffsetDateTime": (datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC),),
    "Decimal": (Decimal("49.50"),),
    "SafeInt": (0, 4950, 2**53 - 1, 5.0),
}
_WRONG: tuple[object, ...] = (object, [], {}, 2**60, float("nan"), "wrong", b"bytes", ValueError("returned"), 1)


class Object:
    """An object of a generated schema. Its fields are attributes, computed when they are read."""

    def __init__(self, world: "RandomWorld", type_name: str, key: str) -> None:
        self.world, self.type_name, self.key = world, type_name, key

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("f_"):
            raise AttributeError(name)
        return self.world.resolve(self, name[2:], {})

    def __repr__(self) -> str:
        return f"<{self.type_name} {self.key}>"


class Items(Sequence[Any]):
    """A sequence that is not a list."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]


class Later:
    """An item of a list that has to be awaited, unless an error ends the list before it."""

    def __init__(self, value: Any, turns: int) -> None:
        self._value, self._turns = value, turns

    def __await__(self) -> Generator[Any, Any, Any]:
        if isinstance(self._value, Exception):
            return _raise_later(self._value, self._turns).__await__()
        return _return_later(self._value, self._turns).__await__()


class RandomWorld:
    """A schema whose resolvers follow from a seed."""

    def __init__(self, seed: int, *, errors: float = 0.04) -> None:
        """Create the world. `errors` is the share of fields that fail or return something odd."""
        self.seed = seed
        self.errors = errors
        self.calls: list[str] = []
        self._coroutines: list[Coroutine[Any, Any, Any]] = []
        self.schema = build_schema(sdl())
        self.classes: dict[str, type[Object]] = {}
        self._use_leaves()
        for type_ in self.schema.type_map.values():
            if is_abstract_type(type_):
                type_.resolve_type = _resolve_type
            elif is_object_type(type_) and not type_.name.startswith("__"):
                self.classes[type_.name] = type(type_.name, (Object,), {"object_type": type_.name})
                if self._random(type_.name).random() < 0.5 and type_ is not self.schema.subscription_type:
                    type_.is_type_of = lambda value, _, name=type_.name: getattr(value, "type_name", None) == name
        for type_name, name, field in all_fields(self.schema):
            self._use_resolver(type_name, name, field)

    def type_name_of(self, class_: type) -> str | None:
        return getattr(class_, "object_type", None)

    def root(self, kind: str) -> Object:
        type_ = getattr(self.schema, f"{kind}_type")
        return self.classes[type_.name](self, type_.name, "root")

    def _use_leaves(self) -> None:
        """Use the scalars and enums of the real schema."""
        for name, type_ in self.schema.type_map.items():
            real: Any = CORE_SCHEMA.type_map.get(name)
            if is_leaf_type(type_) and real is not None and not name.startswith("__"):
                copied = ("coerce_output_value", "coerce_input_value", "coerce_input_literal", "wrapped_cls")
                type_.__dict__.update({key: getattr(real, key) for key in copied if hasattr(real, key)})

    def _random(self, *parts: object) -> Random:
        return Random(zlib.crc32(repr((self.seed, *parts)).encode()))

    def _use_resolver(self, type_name: str, name: str, field: GraphQLField) -> None:
        random = self._random(type_name, name)
        if field.args or random.random() < 0.4 or type_name in ("Query", "Mutation", "Subscription"):
            field.resolve = lambda source, info, **arguments: self.resolve(source, name, arguments, info)
            plain = PlainField(resolve=field.resolve)
        else:
            field.resolve = lambda source, _: getattr(source, f"f_{name}")
            plain = PlainField(attribute=f"f_{name}")
        set_plain_field(field, plain)
        if random.random() < 0.3:
            group = random.randrange(2)
            self._use_check(field, lambda source, context: self._check(source, context, f"{type_name} {group}"))
        if random.random() < 0.5 and is_list_type(_nullable(field.type)):
            plain.slice_list = _slice
            unsliced = field.resolve
            field.resolve = _sliced(unsliced)

    def _use_check(self, field: GraphQLField, check: Any) -> None:
        resolve = field.resolve
        assert resolve is not None
        field.resolve = lambda source, info, **arguments: (
            resolve(source, info, **arguments) if check(source, info.context) else None
        )
        add_check(field, check)

    def _check(self, source: Object, context: Any, group: str) -> bool:
        assert context is CONTEXT
        random = self._random(source.key, group)
        if random.random() < self.errors:
            raise random.choice(_ERRORS)()
        return random.random() >= self.errors

    def resolve(self, source: Object, name: str, arguments: dict[str, Any], info: Any = None) -> Any:
        call = f"{source.key}.{name}({arguments!r})"
        self.calls.append(call)
        if info is not None:
            assert info.context is CONTEXT
        type_ = self.schema.type_map[source.type_name]
        assert isinstance(type_, GraphQLObjectType)
        random = self._random(call)
        if random.random() < self.errors:
            error = random.choice(_ERRORS)()
            return self._keep(_raise_later(error, random.randrange(3))) if random.random() < 0.5 else _raise(error)
        if info is not None and random.random() < 0.05:
            assert info.field_name == name
            call += repr(
                (info.path.as_list(), [node.name.value for node in info.field_nodes], info.operation.name.value)
            )
            call += repr((str(info.parent_type), str(info.return_type), info.variable_values.coerced, info.root_value))
        value = self._value(random, type_.fields[name].type, call)
        return self._keep(_return_later(value, random.randrange(3))) if random.random() < 0.2 else value

    def close_coroutines(self) -> None:
        """Close the coroutines of an execution that has ended.

        It may have dropped some unawaited: when a field fails, graphql-core cancels its siblings.
        """
        for coroutine in self._coroutines:
            coroutine.close()
        self._coroutines.clear()

    def _keep(self, coroutine: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        self._coroutines.append(coroutine)
        return coroutine

    def _value(self, random: Random, type_: Any, key: str) -> Any:
        if is_non_null_type(type_):
            return None if random.random() < self.errors / 2 else self._value(random, type_.of_type, key)
        if random.random() < 0.15:
            return None
        if random.random() < self.errors / 2:
            return random.choice(_WRONG)
        if is_list_type(type_):
            return self._list(random, type_.of_type, key)
        if is_leaf_type(type_):
            return self._leaf(random, type_)
        if is_abstract_type(type_):
            type_ = random.choice(self.schema.get_possible_types(type_))
        assert is_composite_type(type_)
        return self.classes[type_.name](self, type_.name, f"{zlib.crc32(key.encode()):x}")

    def _list(self, random: Random, type_: Any, key: str) -> Any:
        items: list[Any] = []
        # In some lists, several items are awaited together.
        share_later = random.choice((0, 0, 0.1, 0.8))
        for index in range(random.randrange(4)):
            item = self._value(random, type_, f"{key}[{index}]")
            if random.random() < self.errors and share_later > 0.5:
                item = Later(ValueError(f"item {index}"), random.randrange(4))
            elif random.random() < share_later:
                item = Later(item, random.randrange(3))
            elif random.random() < self.errors:
                item = KeyError("an item")
            items.append(item)
        shape = random.random()
        if shape < 0.1:
            return _generate(items, fails=random.random() < 0.3)
        if shape < 0.2:
            return _generate_later(items, fails=random.random() < 0.3)
        return random.choice((list, tuple, Items))(items)

    def _leaf(self, random: Random, type_: Any) -> Any:
        if isinstance(type_, GraphQLEnumType):
            members = list(type_.__dict__["wrapped_cls"])
            return random.choice([*members, members[0].value])
        return random.choice(_LEAVES[type_.name])


CONTEXT = object()


def _nullable(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def _resolve_type(value: Any, _info: Any, type_: Any) -> str:
    if not isinstance(value, Object):
        raise TypeError(f"{value!r} is no {type_}")
    return value.type_name


def _raise(error: Exception) -> None:
    raise error


async def _raise_later(error: Exception, turns: int) -> None:
    await _wait(turns)
    raise error


async def _return_later(value: Any, turns: int) -> Any:
    await _wait(turns)
    return value


async def _wait(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def _generate(items: list[Any], *, fails: bool) -> Iterator[Any]:
    yield from items
    if fails:
        raise ValueError("the iterator")


async def _generate_later(items: list[Any], *, fails: bool) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item
    if fails:
        raise ValueError("the iterator")


def _slice(value: Any, context: Any, is_inside_list: bool) -> Any:
    assert context is CONTEXT
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) > 1 + is_inside_list:
        return _generate_later(list(value), fails=False)
    return value


def _sliced(resolve: Any) -> Any:
    def sliced(source: Any, info: Any, **arguments: Any) -> Any:
        found = resolve(source, info, **arguments)
        if info.operation.operation.value != "query":
            return found
        is_inside_list = any(isinstance(key, int) for key in info.path.as_list())
        if hasattr(found, "__await__"):
            return _slice_later(found, info.context, is_inside_list)
        return _slice(found, info.context, is_inside_list)

    return sliced


async def _slice_later(found: Any, context: Any, is_inside_list: bool) -> Any:
    return _slice(await found, context, is_inside_list)
