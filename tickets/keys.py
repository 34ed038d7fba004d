"""The keys that sign ticket codes and revocation lists: one for each concert.

They are derived from master keys, so no private key of a concert is ever stored. All signed bytes
say what they are: a code begins with its version, and a list with a word.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NewType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.ids import ConcertId
from settings import TicketSettings

KeyId = NewType("KeyId", str)
"""The first 64 bits of the SHA-256 of a public key, in hex."""

MASTER_BYTES = 32
KEY_GENERATION = 1
"""Part of the input from which a key is derived. A new generation would give every concert a new
key.
"""
_CONCERT_KEY = b"onsale ticket key"
_SECRET = b"onsale secret"
_KEYS_KEPT = 1_000


class BadTicketKeyFile(ValueError):
    """Raised if a file has no master key. The message names the file, but never quotes its
    content.
    """


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A key of a concert."""

    concert_id: ConcertId
    id: KeyId
    public: bytes
    """The raw public key, 32 bytes."""
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    def sign(self, content: bytes) -> bytes:
        return self._private.sign(content)


class TicketKeys:
    """The master keys of this installation. The first one signs, and the public keys of all are
    published.
    """

    def __init__(self, masters: Sequence[bytes]) -> None:
        self._masters = tuple(masters)
        self._keys_of = lru_cache(maxsize=_KEYS_KEPT)(self._derive)

    def signing_key(self, concert_id: ConcertId) -> TicketKey:
        return self._keys_of(concert_id)[0]

    def keys_of(self, concert_id: ConcertId) -> tuple[TicketKey, ...]:
        """Return the concert's keys derived from all master keys, so that gates know the next key
        in advance.
        """
        return self._keys_of(concert_id)

    def secrets_for(self, purpose: bytes) -> tuple[bytes, ...]:
        """Return a secret key for the purpose, derived from each master. The first one signs."""
        info = b"\0".join((_SECRET, purpose))
        return tuple(HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(master) for master in self._masters)

    def _derive(self, concert_id: ConcertId) -> tuple[TicketKey, ...]:
        return tuple(derive_key(master, concert_id) for master in self._masters)


def derive_key(master: bytes, concert_id: ConcertId, *, generation: int = KEY_GENERATION) -> TicketKey:
    """Return the key of a concert. The same master, concert and generation give the same key."""
    info = b"\0".join((_CONCERT_KEY, concert_id.encode(), str(generation).encode()))
    seed = HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(master)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    return TicketKey(concert_id, key_id(public), public, private)


def key_id(public: bytes) -> KeyId:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public)
    return KeyId(digest.finalize()[:8].hex())


def open_ticket_keys(settings: TicketSettings, data_dir: Path) -> TicketKeys:
    """Return the keys in the files, or in development the one in the data directory.

    Raises BadTicketKeyFile.
    """
    masters = read_masters(settings.key_files) or (own_master(data_dir / "ticket-key"),)
    return TicketKeys(masters)


def read_masters(paths: Sequence[Path]) -> tuple[bytes, ...]:
    """Return the master keys in the files. Raises BadTicketKeyFile."""
    return tuple(_read_master(path) for path in paths)


def own_master(path: Path) -> bytes:
    """Return the master key in the file. The first process creates the file.

    Two processes that start at the same time agree on one key.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new_file = path.with_suffix(f".{os.getpid()}")
        new_file.touch(mode=0o600)
        new_file.write_text(base64.b64encode(secrets.token_bytes(MASTER_BYTES)).decode())
        try:
            os.link(new_file, path)
        except FileExistsError:
            pass
        finally:
            new_file.unlink()
    return _read_master(path)


def _read_master(path: Path) -> bytes:
    how = f"write one with `openssl rand -base64 {MASTER_BYTES}`"
    try:
        master = base64.b64decode(path.read_text().strip(), validate=True)
    except OSError as error:
        raise BadTicketKeyFile(f"{path} cannot be read ({error.strerror}); {how}") from error
    except ValueError as error:
        raise BadTicketKeyFile(f"{path} is not a key in base64; {how}") from error
    if len(master) != MASTER_BYTES or len(set(master)) < MASTER_BYTES // 4:
        raise BadTicketKeyFile(f"{path} is not a key of {MASTER_BYTES} random bytes; {how}")
    return master
