"""Creates certificates for this machine's loopback addresses: self-signed ones, and those of an
authority.
"""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DAY = datetime.timedelta(days=1)
NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


def write_certificate(directory: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and localhost, with its private key, to a
    file.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    file = directory / "certificate.pem"
    _write(file, _built(key, issuer="localhost", days=1, is_authority=True).sign(key, hashes.SHA256()), key)
    return file


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority whose certificate is in `file`, as clients need it."""

    file: Path
    key: ec.EllipticCurvePrivateKey

    def issue(self, file: Path, *, days: float) -> Path:
        """Write a certificate for 127.0.0.1 and localhost, with its private key, to a file. It ends
        in this many days, which may be negative.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        built = _built(key, issuer="authority", days=days, is_authority=False)
        _write(file, built.sign(self.key, hashes.SHA256()), key)
        return file


def make_authority(directory: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    made = _built(key, issuer="authority", days=1, is_authority=True, subject="authority").sign(key, hashes.SHA256())
    file = directory / "authority.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM))
    return Authority(file, key)


def _built(
    key: ec.EllipticCurvePrivateKey, *, issuer: str, days: float, is_authority: bool, subject: str = "localhost"
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _write(file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
