"""Encrypts login sessions for Redis with AES-256-GCM. A newer key can replace an older one."""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from settings.session import KEY_BYTES

_NONCE_BYTES = 12


class SessionCipher:
    """The first key encrypts; all decrypt. To rotate, add a key in front of the old one."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, text: bytes, *, digest: str) -> bytes:
        """Encrypt. The result can be opened only with the same cookie digest."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, text, digest.encode())

    def open(self, sealed: bytes, *, digest: str) -> bytes | None:
        """Decrypt, or return None if no key fits, or if the value was altered or moved."""
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, text, digest.encode())
            except (InvalidTag, ValueError):
                continue
        return None


def decode_keys(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def keys_from_file(path: Path) -> list[bytes]:
    """Return the key in the file, which the first process creates, as in auth/passes.py."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new_file = path.with_suffix(f".{os.getpid()}")
        new_file.touch(mode=0o600)
        new_file.write_text(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        try:
            os.link(new_file, path)
        except FileExistsError:
            pass
        finally:
            new_file.unlink()
    return decode_keys(path.read_text().split())
