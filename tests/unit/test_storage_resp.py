"""Calls are packed into the bytes that redis-py would send."""

import pytest
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


def test_text_with_lone_surrogates_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        pack_call("EVALSHA", "a" * 40, ("key",), ("\ud800",))
