"""The adapter's requests are those that stripe-mock accepted, and it can read Stripe's examples."""

import pytest
from starlette.responses import JSONResponse

from payments.stripe import API_VERSION
from tests.support.scripted_stripe import scripted_stripe
from tests.support.stripe_calls import CALLS
from tests.support.stripe_mock import read_recording

RECORDING = read_recording()


def test_recording_has_each_call_and_the_version_in_use() -> None:
    assert set(RECORDING["calls"]) == set(CALLS)
    assert RECORDING["api_version"] == API_VERSION


@pytest.mark.parametrize("name", CALLS)
async def test_request_was_accepted_and_the_example_can_be_read(name: str) -> None:
    recorded = RECORDING["calls"][name]
    async with scripted_stripe() as (script, provider):
        script.answer(JSONResponse(recorded["answer"]))
        # Stripe's example of a refund belongs to no payment intent; Onsale's refunds always do.
        if name == "create_refund":
            script.answer(JSONResponse(recorded["answer"] | {"payment_intent": "pi_1"}))
        await CALLS[name](provider)
        (request,) = script.requests
    assert (request.method, request.path, request.params) == (recorded["method"], recorded["path"], recorded["params"])
