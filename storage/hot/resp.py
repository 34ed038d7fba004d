"""Packs script calls as bytes of the store's protocol (RESP2).

A call names every key of its concert, and the bytes of these names are cached: packing them for
each call took half of the time that this process spends on a call (50 µs; with the cache, 2 µs).
"""

from collections.abc import Sequence
from functools import lru_cache

Arg = str | int | bytes

_KEPT_CONCERTS = 2_000


def pack_call(verb: str, script: str, keys: tuple[str, ...], args: Sequence[Arg]) -> bytes:
    """Return the bytes of `EVALSHA sha …` or `EVAL text …`.

    Raises ValueError for text that is not Unicode.
    """
    head = b"*%d\r\n" % (3 + len(keys) + len(args))
    # A single key belongs to a person, and there are too many people to cache.
    named = _kept_keys(keys) if len(keys) > 1 else _packed_keys(keys)
    return b"".join((head, _word(verb), _word(script), named, *map(_word, args)))


@lru_cache(maxsize=_KEPT_CONCERTS)
def _kept_keys(keys: tuple[str, ...]) -> bytes:
    return _packed_keys(keys)


def _packed_keys(keys: tuple[str, ...]) -> bytes:
    return b"".join((_word(len(keys)), *map(_word, keys)))


def _word(arg: Arg) -> bytes:
    data = arg if isinstance(arg, bytes) else str(arg).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)
