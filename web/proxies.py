"""Determines who the client is, and at which address it reached us, behind trusted proxies.

Each proxy appends the address of its peer to X-Forwarded-For, so the client is the rightmost
address that is not one of our proxies. Anything further left may be forged by the client.
Headers from untrusted peers are ignored; those from trusted peers are removed once they have been
read. Everything behind this middleware reads only `scope["client"]`, `scope["scheme"]` and the Host
header.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

UNIX_SOCKET = "unix"
"""The word in the setting for a proxy that connects through a Unix socket."""
_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
_PREFIX_BITS = 64
"""The number of leading bits of an IPv6 address that identify a household.

The household chooses the other bits freely.
"""
MAX_PEERS = 4_096
"""The maximum number of peers whose parsed addresses are cached."""
_SCHEMES = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}


class ProxyMiddleware:
    """Replaces the address, scheme and host of each request; see `TrustedProxies`."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str] = ()) -> None:
        self._app = app
        self._proxies = TrustedProxies(trusted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in _SCHEMES:
            self._proxies.rewrite(scope)
        await self._app(scope, receive, send)


class TrustedProxies:
    """Replaces the address, scheme and host of a request with those that trusted proxies report."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(proxy) for proxy in trusted if proxy != UNIX_SOCKET]
        self._trusts_unix_socket = UNIX_SOCKET in trusted
        # A peer sends many requests, and parsing its address is not cheap.
        self._is_trusted_peer = lru_cache(maxsize=MAX_PEERS)(self._is_trusted)

    def rewrite(self, scope: Scope) -> None:
        """Rewrite the scope of a request or a socket."""
        peer = scope["client"][0] if scope.get("client") else None
        if not self._is_trusted_peer(peer):
            _set_client(scope, peer)
            return
        headers = Headers(scope=scope)
        _set_client(scope, self._client(headers.getlist("x-forwarded-for"), peer))
        scheme = _last(headers.getlist("x-forwarded-proto")).lower()
        scope["scheme"] = _SCHEMES[scope["type"]].get(scheme, scope["scheme"])
        if host := _last(headers.getlist("x-forwarded-host")):
            MutableHeaders(scope=scope)["host"] = host
        for name in _FORWARDED:
            del MutableHeaders(scope=scope)[name]

    def _is_trusted(self, peer: str | None) -> bool:
        address = _parse(peer or "")
        if address is None:
            return self._trusts_unix_socket
        return any(address in network for network in self._networks)

    def _client(self, lines: Sequence[str], peer: str | None) -> str | None:
        """Return the rightmost address that is not a trusted proxy.

        If a proxy wrote something that is not an address, the address to its right counts.
        """
        client = peer
        for hop in reversed(",".join(lines).split(",")):
            address = _parse(hop.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(client):
                break
        return client


def address_key(address: str) -> str:
    """Return the key under which limits count an address.

    All addresses in an IPv6 /64 network have the same key. Other text is its own key.
    """
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address) and not parsed.is_loopback:
        return str(IPv6Network((parsed, _PREFIX_BITS), strict=False))
    return address if parsed is None else str(parsed)


_cached_address_key = lru_cache(maxsize=MAX_PEERS)(address_key)


def _set_client(scope: Scope, address: str | None) -> None:
    if address is not None:
        port = scope["client"][1] if scope.get("client") else 0
        scope["client"] = (_cached_address_key(address), port)


def _last(lines: Sequence[str]) -> str:
    """Return the value that the nearest proxy wrote."""
    return lines[-1].rpartition(",")[2].strip() if lines else ""


def _parse(text: str) -> Address | None:
    """Return the address without its port, or None. IPv4-mapped IPv6 becomes IPv4."""
    bare = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
