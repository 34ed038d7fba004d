"""The page on which a person pays an intent with a test card. It works without JavaScript."""

import html

from domain.money import Money
from payments.amounts import minor_amount, read_currency
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
<title>{title}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }}
  h1 {{ font-size: 1.5rem; margin: 0 }}
  p {{ margin: .5rem 0 1rem }}
  [role] {{ border-left: .25rem solid #2a7d4f; padding: .25rem .75rem }}
  [role=alert] {{ border-color: #c0392b }}
  fieldset {{ border: 1px solid #8888; border-radius: .25rem }}
  label {{ display: grid; grid-template-columns: auto auto 1fr; gap: 0 .75rem; align-items: baseline }}
  label:has(:checked) {{ font-weight: 600 }}
  input {{ margin: 0 }}
  button {{ font: inherit; margin: 1rem 0; padding: .5rem 1.5rem }}
  @media (max-width: 30rem) {{
    label {{ grid-template-columns: auto 1fr; padding: .25rem 0 }}
    label span {{ grid-column: 2 }}
  }}
</style>
<h1>{title}</h1>
<p>This is the payment sandbox of Onsale. No money moves.</p>
{content}
</html>
"""

_FORM = """<form method="post">
<fieldset>
<legend>Test card</legend>
{choices}
</fieldset>
<button>Pay {amount}</button>
</form>
"""

_MESSAGES = {
    "succeeded": "The payment succeeded. You can close this page.",
    "processing": "The bank is processing the payment. Reload this page to see the result.",
    "requires_action": "The bank is waiting for the card holder. Reload this page to see the result.",
    "canceled": "This payment was canceled. Nothing was charged, and it can no longer be paid.",
}


def pay_page(intent: Document) -> bytes:
    """Return the page of an intent in its current state."""
    amount = _amount(intent)
    if is_payable(intent):
        return _page(f"Pay {amount}", _form(intent, amount))
    return _page(f"Payment of {amount}", f'<p role="status">{html.escape(_MESSAGES[intent["status"]])}</p>')


def error_page(message: str) -> bytes:
    text = f"{message} Open the testPaymentUrl of your order again."
    return _page("This payment cannot be shown", f'<p role="alert">{html.escape(text)}</p>')


def is_payable(intent: Document) -> bool:
    return intent["status"] not in _MESSAGES


def _page(title: str, content: str) -> bytes:
    return _PAGE.format(title=html.escape(title), content=content).encode()


def _amount(intent: Document) -> str:
    currency = read_currency(intent["currency"])
    if currency is None:
        return f"{intent['amount']} {intent['currency'].upper()}"
    return str(Money(minor_amount(intent["amount"], currency), currency))


def _form(intent: Document, amount: str) -> str:
    choices = "\n".join(
        f'<label><input type="radio" name="payment_method" value="{card.name}"{" checked" if index == 0 else ""}>'
        f" <code>{_grouped(card.number)}</code> <span>{html.escape(card.label)}</span></label>"
        for index, card in enumerate(CARDS)
    )
    error = intent["last_payment_error"]
    alert = f'<p role="alert">{html.escape(error["message"])} Choose another card.</p>' if error else ""
    return alert + _FORM.format(choices=choices, amount=html.escape(amount))


def _grouped(number: str) -> str:
    return " ".join(number[index : index + 4] for index in range(0, len(number), 4))
