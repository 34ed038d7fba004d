"""The page on which a person pays an intent of the sandbox with a test card."""

import re

import pytest

from tests.support.sandbox import Document, Sandbox


def _page(intent: Document) -> str:
    return f"/pay/{intent['id']}?client_secret={intent['client_secret']}"


async def test_person_pays_on_the_page(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent(500)

    shown = await sandbox.client.get(_page(intent), headers={"Authorization": ""})
    cards = re.findall(r'name="payment_method" value="(\w+)"', shown.text)
    paid = await sandbox.client.post(_page(intent), data={"payment_method": "pm_card_visa"})

    assert "<h1>Pay 5.00 EUR</h1>" in shown.text
    assert {"pm_card_visa", "pm_card_chargeDeclined", "pm_card_lateSuccess"} <= set(cards)
    assert "<h1>Payment of 5.00 EUR</h1>" in paid.text
    assert "The payment succeeded." in paid.text
    assert (await sandbox.intent(intent["id"]))["status"] == "succeeded"
    assert "The payment succeeded." in (await sandbox.client.get(_page(intent))).text


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1200, "jpy", "1200 JPY"),
        (1200, "huf", "12.00 HUF"),
        (1200, "ugx", "12 UGX"),
        (1200, "kwd", "1.200 KWD"),
    ],
)
async def test_page_shows_the_amount_in_units_of_the_currency(
    sandbox: Sandbox, amount: int, currency: str, shown: str
) -> None:
    page = await sandbox.client.get(_page(await sandbox.create_intent(amount, currency)))

    assert f"<h1>Pay {shown}</h1>" in page.text


async def test_form_that_is_sent_twice_shows_a_single_payment(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent(500)

    pages = [await sandbox.client.post(_page(intent), data={"payment_method": "pm_card_visa"}) for _ in range(2)]

    assert pages[1].status_code == 200
    assert pages[1].text == pages[0].text
    assert await sandbox.balance(intent["id"]) == 500


async def test_page_names_a_card_that_does_not_exist(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    answer = await sandbox.client.post(_page(intent), data={"payment_method": "pm_<i>"})

    assert answer.status_code == 400
    assert "No such PaymentMethod: &#x27;pm_&lt;i&gt;&#x27;" in answer.text


async def test_page_offers_another_card_after_a_decline(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    declined = await sandbox.client.post(
        _page(intent), data={"payment_method": "pm_card_chargeDeclinedInsufficientFunds"}
    )

    assert "Your card has insufficient funds. Choose another card." in declined.text
    assert '<form method="post">' in declined.text
    assert await sandbox.balance(intent["id"]) == 0


async def test_page_needs_the_client_secret(sandbox: Sandbox) -> None:
    intent = await sandbox.create_intent()

    for query in ("", "?client_secret=pi_wrong", "?client_secret="):
        shown = await sandbox.client.get(f"/pay/{intent['id']}{query}")
        paid = await sandbox.client.post(f"/pay/{intent['id']}{query}", data={"payment_method": "pm_card_visa"})
        assert (shown.status_code, paid.status_code) == (400, 400)
        assert "Open the testPaymentUrl of your order again." in shown.text

    assert (await sandbox.intent(intent["id"]))["status"] == "requires_payment_method"


async def test_page_allows_no_scripts_and_no_caching(sandbox: Sandbox) -> None:
    headers = (await sandbox.client.get(_page(await sandbox.create_intent()))).headers

    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
