"""The issuer's only RSA key, in a file that survives restarts.

All processes with the same folder share it. The file is created atomically, and the first process
to create it wins, so all processes agree on one key.
"""

import hmac
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import OctKey, RSAKey

from settings import SettingsError

FILE_NAME = "issuer-key.pem"
KEY_BITS = 2_048


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    signing: RSAKey
    """Signs access and ID tokens, which others verify."""
    refresh: OctKey
    """Signs tokens that only this issuer reads.

    It is symmetric, as in Keycloak, so no verifier can mistake one of these for an access token.
    """

    @property
    def kid(self) -> str:
        return self.signing.thumbprint()

    @property
    def key_set(self) -> dict[str, list[dict[str, object]]]:
        public = self.signing.as_dict(private=False)
        return {"keys": [{**public, "kid": self.kid, "alg": "RS256", "use": "sig"}]}


def load_keys(data_dir: Path) -> IssuerKeys:
    """Return the keys, created on first use.

    Raises SettingsError if the file cannot be read or is not an RSA key.
    """
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _create(path)
        pem = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The issuer key {path} cannot be read or created ({error}); choose another ONSALE_DATA_DIR"
        ) from error
    try:
        key = RSAKey.import_key(pem)
    except (JoseError, ValueError) as error:
        raise SettingsError(
            f"{path} is not an RSA key in PEM; delete it and start again to create a new one"
        ) from error
    secret = hmac.digest(pem, b"onsale refresh tokens", "sha256")
    return IssuerKeys(key, OctKey.import_key(secret))


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp creates the file with mode 0600, and a hard link keeps the mode.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE_NAME}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(RSAKey.generate_key(KEY_BITS).as_pem(private=True))
            file.flush()
            os.fsync(file.fileno())
        _link_unless_exists(Path(temporary), path)
    finally:
        Path(temporary).unlink()


def _link_unless_exists(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except FileExistsError:
        # Another process created the file first; its key is used.
        return
