"""The faults that can be switched on in the sandbox, as a client of the provider sees them."""

import asyncio

import httpx2
import pytest

from tests.support.sandbox import Sandbox
from tests.support.waiting import wait_until

INTENT = {"amount": 500, "currency": "eur"}


async def _count_intents(sandbox: Sandbox, order: str) -> int:
    page = await sandbox.get("/v1/payment_intents", limit="100")
    return sum(intent["metadata"].get("onsale_order") == order for intent in page["data"])


@pytest.mark.parametrize(("kind", "count"), [("error_after", 1), ("error_before", 0)])
async def test_server_error_is_repeated_under_its_key(sandbox: Sandbox, kind: str, count: int) -> None:
    await sandbox.fail(kind, "create_intent")
    fields = {**INTENT, "metadata[onsale_order]": kind}

    first = await sandbox.post("/v1/payment_intents", fields, key=kind)
    again = await sandbox.post("/v1/payment_intents", fields, key=kind)

    assert (first.status_code, again.status_code) == (500, 500)
    assert again.headers["idempotent-replayed"] == "true"
    assert await _count_intents(sandbox, kind) == count
    assert (await sandbox.post("/v1/payment_intents", fields, key=f"{kind}-2")).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("unavailable", 503), ("rate_limit", 429)])
async def test_request_refused_before_it_runs_spends_no_key(sandbox: Sandbox, kind: str, status: int) -> None:
    await sandbox.fail(kind, "create_intent")

    first = await sandbox.post("/v1/payment_intents", INTENT, key=kind)
    again = await sandbox.post("/v1/payment_intents", INTENT, key=kind)

    assert (first.status_code, again.status_code) == (status, 200)


@pytest.mark.parametrize(("kind", "count"), [("down", 0), ("cut", 1)])
async def test_connection_is_closed_without_an_answer(sandbox: Sandbox, kind: str, count: int) -> None:
    await sandbox.fail(kind, "create_intent")

    with pytest.raises(httpx2.TransportError):
        await sandbox.post("/v1/payment_intents", {**INTENT, "metadata[onsale_order]": kind})

    assert await _count_intents(sandbox, kind) == count


async def test_nonsense_is_not_json(sandbox: Sandbox) -> None:
    await sandbox.fail("nonsense", "create_intent")

    response = await sandbox.post("/v1/payment_intents", INTENT)

    assert (response.status_code, response.text[:6]) == (200, "<html>")


@pytest.mark.parametrize(("kind", "count"), [("slow", 0), ("slow_answer", 1)])
async def test_slow_request_exceeds_the_timeout_of_its_client(sandbox: Sandbox, kind: str, count: int) -> None:
    await sandbox.fail(kind, "create_intent", seconds=3_600)

    with pytest.raises(httpx2.ReadTimeout):
        await sandbox.client.post(
            "/v1/payment_intents",
            data={**INTENT, "metadata[onsale_order]": kind},
            timeout=httpx2.Timeout(60, read=1),
        )

    async def is_as_expected() -> bool:
        return await _count_intents(sandbox, kind) == count

    # A slow machine may create the intent after the client has given up.
    await wait_until(is_as_expected, what="the intent")


async def test_forgotten_key_runs_the_request_again(sandbox: Sandbox) -> None:
    first = await sandbox.post("/v1/payment_intents", INTENT, key="forgotten")

    await sandbox.forget_keys()

    assert (await sandbox.post("/v1/payment_intents", INTENT, key="forgotten")).json()["id"] != first.json()["id"]


async def test_fault_lasts_until_it_is_removed(sandbox: Sandbox) -> None:
    await sandbox.fail("unavailable", count=0)
    refused = await asyncio.gather(*(sandbox.post("/v1/payment_intents", INTENT) for _ in range(5)))
    await sandbox.heal()

    assert [response.status_code for response in refused] == [503] * 5
    assert (await sandbox.post("/v1/payment_intents", INTENT)).status_code == 200


async def test_unknown_fault_is_refused(sandbox: Sandbox) -> None:
    response = await sandbox.post("/sandbox/faults", {"kind": "earthquake"})

    assert (response.status_code, response.json()["error"]["param"]) == (400, "kind")
