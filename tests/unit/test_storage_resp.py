"""Calls are packed into the bytes that redis-py would send."""

from enum import IntEnum

import pytest
from bson import Int64
from redis.asyncio.connection import Connection

from domain.ids import new_concert_id
from storage.hot.resp import pack_call
from storage.keys import concert_keys


@pytest.mark.parametrize("keys", [concert_keys(new_concert_id()), ("onsale2:{rate:ann}:joins",)], ids=["many", "one"])
@pytest.mark.parametrize(
    "args",
    [(), ("incarnation", 5, -1), (b"\x00\xff\r\n", "", "Ånn \N{GRINNING FACE}")],
    ids=["none", "numbers", "bytes"],
)
def test_call_is_packed_as_redis_py_packs_it(keys: tuple[str, ...], args: tuple[str | int | bytes, ...]) -> None:
    theirs = b"".join(Connection().pack_command("EVALSHA", "a" * 40, len(keys), *keys, *args))
    assert [pack_call("EVALSHA", "a" * 40, keys, args) for _ in range(2)] == [theirs, theirs]


class Level(IntEnum):
    HIGH = 7


def test_integers_of_other_types_are_packed_as_plain_integers() -> None:
    """For example, MongoDB returns integers beyond 32 bits as Int64."""
    packed = pack_call("EVALSHA", "a" * 40, ("key",), ("text", Int64(2**40), Level.HIGH, True, b"\x00"))
    assert packed == pack_call("EVALSHA", "a" * 40, ("key",), ("text", 2**40, 7, 1, b"\x00"))


@pytest.mark.parametrize("arg", [None, [1], {}], ids=str)
def test_argument_of_another_type_is_refused(arg: object) -> None:
    with pytest.raises(TypeError):
        pack_call("EVALSHA", "a" * 40, ("key",), ("text", arg))  # type: ignore[arg-type]


def test_text_with_lone_surrogates_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        pack_call("EVALSHA", "a" * 40, ("key",), ("\ud800",))
