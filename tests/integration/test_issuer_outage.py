"""The development issuer without Redis, and above the limit for its codes."""

from pathlib import Path

import httpx2

from domain.limits.rates import Rate
from storage.embedded.process import ServerProcess
from tests.support.issuer_client import answer_of, issuer_client


def wait_of(response: httpx2.Response) -> int:
    return int(response.headers["retry-after"])


def refusal_of(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["cache-control"] == "no-store"
    assert wait_of(response) >= 1
    assert "repeat the same request" in response.json()["error_description"]
    return response.status_code, response.json()["error"]


async def test_issuer_without_redis_asks_to_try_again(own_valkey: ServerProcess, tmp_path: Path) -> None:
    async with issuer_client(tmp_path / "issuer", own_valkey.url) as client:
        code, tokens = await client.code(), (await client.with_password(scope="openid")).json()
        await own_valkey.kill()
        unavailable = (503, "temporarily_unavailable")
        assert refusal_of(await client.redeem(code)) == unavailable
        assert refusal_of(await client.refresh(tokens["refresh_token"])) == unavailable
        assert refusal_of(await client.userinfo(tokens["access_token"])) == unavailable
        for page in (await client.sign_in(), await client.logout(id_token_hint=tokens["id_token"])):
            assert (page.status_code, wait_of(page) >= 1) == (503, True)
            assert "temporarily_unavailable" in page.text
        # These need nothing from Redis.
        assert (await client.authorize()).status_code == 200
        assert (await client.with_password()).status_code == 200

        await own_valkey.start()
        assert (await client.redeem(await client.code())).status_code == 200


async def test_sign_in_above_the_limit_shows_when_to_try_again(valkey_url: str, tmp_path: Path) -> None:
    async with issuer_client(tmp_path, valkey_url, logins_per_address=Rate(1, 600)) as client:
        await client.code()
        page = await client.sign_in()
        assert (page.status_code, 1 <= wait_of(page) <= 600) == (429, True)
        assert "The limit for logins is 1 in 600 s per address" in page.text
        assert (await client.with_password()).status_code == 200


async def test_long_nonce_is_refused_and_not_stored(valkey_url: str, tmp_path: Path) -> None:
    async with issuer_client(tmp_path, valkey_url) as client:
        refused = answer_of(await client.sign_in(nonce="n" * 1_001))
        assert (refused["error"], "code" in refused) == ("invalid_request", False)
        await client.code(nonce="n" * 1_000)
