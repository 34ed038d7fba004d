"""Records what stripe-mock answers to the requests of the Stripe adapter.

github.com/stripe/stripe-mock checks requests against Stripe's OpenAPI description and answers with
Stripe's own examples. `python -m tests.support.stripe_mock http://127.0.0.1:12111` sends it one
request of each kind, and writes requests and answers to `FILE`, which the tests compare with the
adapter. Do this after a change to the adapter's requests or to the API version.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
from starlette.responses import JSONResponse

from payments.provider import ProviderUnavailable
from payments.stripe import API_VERSION
from tests.support.scripted_stripe import SECRET_KEY, Recorded, scripted_stripe
from tests.support.stripe_calls import CALLS

FILE = Path(__file__).parents[1] / "integration" / "data" / "stripe_mock.json"


def read_recording() -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(FILE.read_text())
    return recording


async def record(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {SECRET_KEY}"}) as client:
        calls = {name: await _record_call(client, await _request_of(name)) for name in CALLS}
    FILE.write_text(json.dumps({"api_version": API_VERSION, "calls": calls}, indent=1, ensure_ascii=False) + "\n")


async def _request_of(name: str) -> Recorded:
    """Return the request that a call sends, whatever happens to the answer."""
    async with scripted_stripe() as (script, provider):
        script.answer(JSONResponse({}))
        try:
            await CALLS[name](provider)
        except ProviderUnavailable:
            (request,) = script.requests
            return request
    raise AssertionError(f"{name} accepted an empty answer")


async def _record_call(client: httpx2.AsyncClient, request: Recorded) -> dict[str, Any]:
    if request.method == "GET":
        answer = await client.get(request.path, params=request.params)
    else:
        headers = {"Content-Type": request.headers["content-type"]}
        answer = await client.post(request.path, content=urlencode(request.params), headers=headers)
    if answer.status_code != 200:
        raise SystemExit(f"{request.method} {request.path} was refused: {answer.text}")
    return {"method": request.method, "path": request.path, "params": request.params, "answer": answer.json()}


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
