"""docs/operations.md says how to set up Stripe, with the values in the code."""

import re
from pathlib import Path

from payments.stripe import API_VERSION
from payments.stripe.events import ENABLED_EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_page_names_the_version_and_the_events_of_the_endpoint() -> None:
    step = re.search(r"^2\. Create a webhook endpoint.*?^3\. ", PAGE, re.MULTILINE | re.DOTALL)
    assert step
    words = re.findall(r"`([^`]+)`", step[0])
    assert words == ["<ONSALE_PUBLIC_URL>/webhooks/payments", API_VERSION, *ENABLED_EVENTS]
