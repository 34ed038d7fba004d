"""Encodes script calls in the store's protocol (RESP2).

A call names every key of its concert. The encoded names are cached: encoding them anew took half of
the process's time per call. hiredis encodes the arguments, three times as fast as Python does.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import hiredis

Arg = str | int | bytes

_MAX_CACHED_CONCERTS = 2_000
_MAX_CACHED_HEADS = 256
"""More than there are scripts."""


def pack_call(verb: str, script: str, keys: tuple[str, ...], args: Sequence[Arg]) -> bytes:
    """Return the bytes of `EVALSHA sha …` or `EVAL text …`.

    Raises ValueError for text that cannot be encoded, and TypeError for an argument of another
    type.
    """
    # Calls with one or two keys are for a person, an address or a login session. There are too
    # many of these to cache their keys.
    packed_keys = _pack_keys_cached(keys) if len(keys) > 2 else _pack_keys(keys)
    count = b"*%d\r\n" % (3 + len(keys) + len(args))
    return b"".join((count, _pack_head(verb, script), packed_keys, _pack_words(tuple(args))))


def check_words(words: Sequence[Arg]) -> None:
    """Raise the error that `pack_call` would raise for these arguments."""
    _pack_words(tuple(words))


@lru_cache(maxsize=_MAX_CACHED_HEADS)
def _pack_head(verb: str, script: str) -> bytes:
    return _pack_words((verb, script))


@lru_cache(maxsize=_MAX_CACHED_CONCERTS)
def _pack_keys_cached(keys: tuple[str, ...]) -> bytes:
    return _pack_keys(keys)


def _pack_keys(keys: tuple[str, ...]) -> bytes:
    return _pack_words((len(keys), *keys))


def _pack_words(words: tuple[Arg, ...]) -> bytes:
    """Return the words without the line that counts them."""
    try:
        packed = _pack_command(words)
    except TypeError:
        packed = _pack_command(tuple(map(_plain, words)))
    return packed[packed.index(b"\n") + 1 :]


def _pack_command(words: tuple[Arg, ...]) -> bytes:
    # The type hint of hiredis allows only one word.
    return cast(bytes, hiredis.pack_command(words))  # type: ignore[arg-type]


def _plain(word: Arg) -> Arg:
    """Return a plain integer for an integer of another type, which hiredis refuses.

    MongoDB returns integers beyond 32 bits, for example some prices, as Int64.
    """
    return int(word) if isinstance(word, int) else word
