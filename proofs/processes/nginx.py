"""Debian's nginx in front of a server, with the configuration that Onsale ships, without TLS."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proofs.wait_until import wait_until
from storage.embedded.ports import accepts_connections, free_port

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "onsale.conf"
MAIN = """daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
worker_processes 1; worker_rlimit_nofile 20000; user root;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/onsale.conf;
}}
"""
START_WITHIN_S = 30.0


class NginxMissing(Exception):
    """nginx is not installed, or does not start."""


@asynccontextmanager
async def run_nginx(folder: Path, *, app_port: int) -> AsyncIterator[str]:
    """Run nginx during the block, and yield its URL. Raises NginxMissing."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    port = free_port()
    if program is None or port is None:
        raise NginxMissing("nginx is missing: apt-get install nginx-light")
    _write_configuration(folder, port=port, app_port=app_port)
    process = await asyncio.create_subprocess_exec(program, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        if not await wait_until(lambda: accepts_connections(port), within_s=START_WITHIN_S, poll_interval_s=0.1):
            raise NginxMissing(f"nginx does not start: {(folder / 'error.log').read_text()}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def read_errors(folder: Path) -> list[str]:
    """Return what nginx has logged about the server behind it."""
    return [line for line in (folder / "error.log").read_text().splitlines() if "upstream" in line]


def _write_configuration(folder: Path, *, port: int, app_port: int) -> None:
    text = re.sub(r"\n *ssl_certificate.*;", "", SHIPPED.read_text())
    for shipped, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port}"),
        ("server_name tickets.example.org", "server_name localhost"),
        ("server 127.0.0.1:8000", f"server 127.0.0.1:{app_port}"),
        ("/var/cache/nginx/onsale", f"{folder}/cache"),
    ):
        if shipped not in text:
            raise NginxMissing(f"{SHIPPED} has no line with {shipped!r}")
        text = text.replace(shipped, ours)
    folder.mkdir()
    (folder / "onsale.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
