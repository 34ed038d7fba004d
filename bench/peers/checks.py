"""Checks a peer's answers: holds, repeated keys, sold-out tiers, and forged tokens."""

from typing import Any

import httpx2

from bench.clients.tokens import forge
from bench.metrics import NotMeasured
from bench.peers.build import TOKENS
from bench.peers.servers import PeerServer, PeerStore
from bench.runs import drive

HOLD = """mutation Hold($input: HoldTicketsInput!) {
  holdTickets(input: $input) { __typename ... on Hold { id expiresAt } ... on SoldOutError { message available } }
}"""
HOLD_MS = 600_000
"""The time for which every peer holds tickets."""
TIMEOUT_S = 10.0


async def check_holds(server: PeerServer, store: PeerStore) -> None:
    """Raise NotMeasured if a hold, or the refusal of one, is wrong."""
    token = read_first_token()
    async with httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT_S, trust_env=False) as http:
        first = await _hold(http, token, "k1", ("t1", 2))
        _expect("a hold", first["__typename"], "Hold")
        stored = await store.read_hold(first["id"])
        _expect("the owner of the hold", stored.get("user"), "user-0")
        _expect("whether the hold expires", 0 < int(stored["ttl_ms"]) <= HOLD_MS, True)
        _expect("a repeated key", await _hold(http, token, "k1", ("t1", 2)), first)
        _expect("whether another key makes another hold", (await _hold(http, token, "k2", ("t1", 1))) == first, False)
        for lines in [(("t2", 1),), (("t1", 1), ("t2", 1))]:
            refused = await _hold(http, token, f"k3-{len(lines)}", *lines)
            _expect("a tier without tickets", (refused["__typename"], refused.get("available")), ("SoldOutError", 0))
        for refused_token in (None, forge(token)):
            _expect("a caller without a good token", await _hold(http, refused_token, "k4", ("t1", 1)), {})
    _expect("the tickets taken", await store.read_taken(), 3)


async def check_forged_token(server: PeerServer) -> None:
    """Raise NotMeasured if a socket with a forged token may subscribe."""
    options = ["-url", f"ws://127.0.0.1:{server.port}/graphql", "-token", forge(read_first_token()), "-sockets", "1"]
    try:
        await drive(["fanout", *options, "-listen", "-duration", "100ms"], watched={}, timeout_s=TIMEOUT_S)
    except NotMeasured:
        return
    raise NotMeasured("a socket with a forged token was accepted")


def read_first_token() -> str:
    return TOKENS.read_text().partition("\n")[0]


async def _hold(http: httpx2.AsyncClient, token: str | None, key: str, *lines: tuple[str, int]) -> dict[str, Any]:
    """Return the result of the mutation, or an empty object if the request was refused."""
    input_ = {
        "concertId": "c1",
        "idempotencyKey": key,
        "lines": [{"tierId": tier, "quantity": quantity} for tier, quantity in lines],
    }
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = await http.post("/graphql", json={"query": HOLD, "variables": {"input": input_}}, headers=headers)
    try:
        data = answer.json().get("data") or {}
    except ValueError:
        return {}
    return data.get("holdTickets") or {}


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise NotMeasured(f"{what} is {found!r} instead of {expected!r}")
