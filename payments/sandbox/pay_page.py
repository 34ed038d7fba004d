"""The page on which a person pays an intent with a test card. It works without JavaScript."""

import html

from payments.sandbox.bank.cards import CARDS
from payments.sandbox.bank.documents import Document

HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Pay {amount}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem }}
  label {{ display: block; padding: .2rem 0 }}
  button {{ font: inherit; margin-top: 1rem; padding: .5rem 1.5rem }}
</style>
<h1>Pay {amount}</h1>
<p>This is the payment sandbox of Onsale. No money moves.</p>
{content}
</html>
"""

_FORM = """<form method="post">
<fieldset>
<legend>Test card</legend>
{choices}
</fieldset>
<button>Pay</button>
</form>
"""

_MESSAGES = {
    "succeeded": "The payment succeeded. You can close this page.",
    "processing": "The bank is processing the payment. You can close this page.",
    "requires_action": "The bank waits for the card holder. You can close this page.",
    "canceled": "This payment was canceled. Nothing was charged.",
}


def pay_page(intent: Document) -> bytes:
    """Return the page of an intent in its present state."""
    amount = html.escape(f"{intent['amount']} {intent['currency'].upper()} (in the smallest unit)")
    return _PAGE.format(amount=amount, content=_content(intent)).encode()


def _content(intent: Document) -> str:
    message = _MESSAGES.get(intent["status"])
    if message is not None:
        return f'<p role="status">{html.escape(message)}</p>'
    choices = "\n".join(
        f'<label><input type="radio" name="payment_method" value="{card.name}"{" checked" if index == 0 else ""}>'
        f" <code>{_grouped(card.number)}</code> {html.escape(card.label)}</label>"
        for index, card in enumerate(CARDS)
    )
    error = intent["last_payment_error"]
    alert = f'<p role="alert">{html.escape(error["message"])} Choose another card.</p>' if error else ""
    return alert + _FORM.format(choices=choices)


def _grouped(number: str) -> str:
    return " ".join(number[index : index + 4] for index in range(0, len(number), 4))
