"""Debian's nginx with the configuration that Onsale ships and a certificate made for the test."""

import asyncio
import datetime
import ipaddress
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "nginx" / "onsale.conf"
_MAIN_CONFIG = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/onsale.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def client(self, *, address: str = "127.0.0.1") -> httpx2.AsyncClient:
        """Return a client that connects from this loopback address."""
        transport = httpx2.AsyncHTTPTransport(verify=self.tls, local_address=address)
        return httpx2.AsyncClient(transport=transport, base_url=f"https://127.0.0.1:{self.port}", timeout=30)


def find_nginx() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


@asynccontextmanager
async def running_nginx(folder: Path, *, port: int, app_port: int) -> AsyncIterator[Nginx]:
    """Run nginx in front of the application on `app_port`."""
    program = find_nginx()
    assert program is not None, "nginx is not installed"
    _write_certificate(folder)
    _write_configuration(folder, port=port, app_port=app_port)
    process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        nginx = Nginx(port, folder / "certificate.pem")
        await wait_until(lambda: _answers(nginx), what="nginx to answer")
        yield nginx
    finally:
        process.terminate()
        await process.wait()


def _write_configuration(folder: Path, *, port: int, app_port: int) -> None:
    text = SHIPPED.read_text()
    for shipped, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name tickets.example.org", "server_name localhost"),
        ("server 127.0.0.1:8000", f"server 127.0.0.1:{app_port}"),
        ("/etc/ssl/onsale/fullchain.pem", f"{folder}/certificate.pem"),
        ("/etc/ssl/onsale/key.pem", f"{folder}/key.pem"),
        ("/var/cache/nginx/onsale", f"{folder}/cache"),
    ):
        assert shipped in text
        text = text.replace(shipped, ours)
    (folder / "onsale.conf").write_text(text)
    (folder / "nginx.conf").write_text(_MAIN_CONFIG.format(folder=folder))


def _write_certificate(folder: Path) -> None:
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


async def _answers(nginx: Nginx) -> bool:
    async with nginx.client() as client:
        try:
            return (await client.get("/livez")).status_code == 200
        except httpx2.TransportError:
            return False
