"""Users, each with an access token and a local address.

The tokens are signed directly with the key of the server's issuer, not requested from it. The
server checks them like any other token.
"""

import asyncio
import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from auth.dev_issuer.claims import TokenMint, granted_scope
from auth.dev_issuer.demo_users import DemoUser, find_demo_user
from auth.dev_issuer.logins import new_login
from auth.dev_issuer.signing import load_keys
from bench.subscribers import Credentials
from settings import Settings

PEOPLE_PER_ADDRESS = 250
"""Fewer people than the server lets join from one address."""


@dataclass(frozen=True, slots=True)
class User:
    token: str
    person_id: str
    address: str
    """An address in the loopback network; Linux lets a client use any address there."""


async def make_users(issuer: str, data_dir: Path, count: int) -> list[User]:
    """Return users with tokens, signed on all cores because each signature takes a millisecond."""
    parts = os.cpu_count() or 1
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(parts) as pool:
        ranges = [range(part, count, parts) for part in range(parts)]
        signed = await asyncio.gather(*[loop.run_in_executor(pool, _sign, issuer, data_dir, part) for part in ranges])
    ordered = sorted(pair for part in signed for pair in part)
    return [User(token, _person(number).subject, make_address(number)) for number, token in ordered]


def make_address(number: int) -> str:
    block, last = divmod(number // PEOPLE_PER_ADDRESS, 250)
    return f"127.{1 + block}.{last}.1"


def random_person_id() -> str:
    """Return a random person id that is as long as a Keycloak id."""
    return str(uuid.uuid4())


def credentials_of(people: Sequence[User]) -> list[Credentials]:
    return [(user.token, user.address) for user in people]


def _sign(issuer: str, data_dir: Path, numbers: range) -> list[tuple[int, str]]:
    settings = Settings()
    mint = TokenMint(issuer, audience=settings.oidc.audience[0], keys=load_keys(data_dir))
    return [(number, _token(mint, number, settings.oidc.client_id)) for number in numbers]


def _token(mint: TokenMint, number: int, client_id: str) -> str:
    response = mint.token_response(new_login(_person(number), client_id), granted_scope(None))
    return str(response["access_token"])


def _person(number: int) -> DemoUser:
    person = find_demo_user(f"buyer{number + 1}")
    assert person is not None
    return person
