"""The page on which a person pays an intent with a test card, and the list of the test cards.

Both work without JavaScript.
"""

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
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
  :root {{ --paper: oklch(0.985 0.005 80); --surface: oklch(1 0 0); --ink: oklch(0.2 0.015 50);
    --ink-soft: oklch(0.44 0.015 50); --sunken: oklch(0.955 0.008 80);
    --line: oklch(0.88 0.01 70); --accent: oklch(0.53 0.19 32); --on-accent: oklch(0.99 0.005 80);
    --danger: oklch(0.47 0.18 22); --danger-soft: oklch(0.955 0.025 22);
    --success: oklch(0.44 0.11 150); --success-soft: oklch(0.95 0.035 150) }}
  @media (prefers-color-scheme: dark) {{
    :root {{ --paper: oklch(0.17 0.01 50); --surface: oklch(0.21 0.012 50); --ink: oklch(0.95 0.008 80);
      --ink-soft: oklch(0.74 0.012 70); --sunken: oklch(0.14 0.01 50);
      --line: oklch(0.31 0.012 50); --accent: oklch(0.72 0.17 40); --on-accent: oklch(0.18 0.03 40);
      --danger: oklch(0.76 0.14 25); --danger-soft: oklch(0.26 0.06 22);
      --success: oklch(0.8 0.13 150); --success-soft: oklch(0.26 0.04 150) }}
  }}
  * {{ box-sizing: border-box }}
  body {{ font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
    margin: 0; padding: 1.5rem 1rem; background: var(--paper); color: var(--ink) }}
  main {{ max-width: 40rem; margin: 0 auto; padding: clamp(1.25rem, 5vw, 2.5rem); border: 1px solid var(--line);
    border-radius: 14px; background: var(--surface) }}
  .wordmark {{ margin: 0 0 1.5rem; font-size: 1.375rem; font-weight: 800; letter-spacing: -.04em }}
  .wordmark span {{ color: var(--ink-soft); font-size: 1rem; font-weight: 400; letter-spacing: 0 }}
  h1 {{ font-size: clamp(1.75rem, 1.4rem + 1.5vw, 2.25rem); line-height: 1.08; letter-spacing: -.025em; margin: 0 }}
  p {{ margin: .5rem 0 1.25rem }}
  [role] {{ border-radius: 9px; padding: .75rem 1rem; background: var(--success-soft); color: var(--success);
    font-weight: 600 }}
  [role=alert] {{ background: var(--danger-soft); color: var(--danger) }}
  fieldset {{ border: 0; margin: 0; padding: 0 }}
  legend {{ padding: 0 0 .5rem; font-weight: 700 }}
  ul {{ margin: 0; padding: 0; list-style: none }}
  label, li {{ display: grid; grid-template-columns: auto 1fr auto; gap: 0 .75rem; align-items: center;
    min-height: 2.75rem; padding: .375rem .5rem; border-top: 1px solid var(--line) }}
  li {{ grid-template-columns: 1fr auto }}
  label:hover, label:has(:checked) {{ background: var(--sunken) }}
  label:has(:checked) span {{ font-weight: 600 }}
  code {{ color: var(--ink-soft); font: inherit; font-variant-numeric: tabular-nums; white-space: nowrap }}
  input {{ margin: 0; width: 1.25rem; height: 1.25rem; accent-color: var(--accent) }}
  .pay {{ position: sticky; bottom: 0; margin: 0; padding: 1rem 0; border-top: 1px solid var(--line);
    background: var(--surface) }}
  button {{ font: inherit; font-weight: 600; width: 100%; min-height: 2.75rem; padding: .5rem 1.5rem; border: 0;
    border-radius: 999px; background: var(--accent); color: var(--on-accent); cursor: pointer }}
  :focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px }}
  label input {{ scroll-margin-block: 6rem }}
  @media (max-width: 36rem) {{
    label, li {{ grid-template-columns: auto 1fr; padding-block: .5rem }}
    li {{ grid-template-columns: 1fr }}
    label code {{ grid-column: 2 }}
  }}
</style>
<main>
<p class="wordmark">Onsale <span>payment sandbox</span></p>
<h1>{title}</h1>
<p>This is a test: no money moves.</p>
{content}
</main>
</html>
"""

_FORM = """<form method="post">
<fieldset>
<legend>Test card</legend>
{choices}
</fieldset>
<p class="pay"><button>Pay {amount}</button></p>
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


def cards_page() -> bytes:
    """Return the page at `/`: the test cards and what happens with each of them."""
    cards = "\n".join(
        f"<li><span>{html.escape(card.label)}</span> <code>{_grouped(card.number)}</code></li>" for card in CARDS
    )
    return _page(
        "Test cards", f"<p>Pay with one of these numbers; any date and any code will do.</p>\n<ul>{cards}</ul>"
    )


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
        f" <span>{html.escape(card.label)}</span> <code>{_grouped(card.number)}</code></label>"
        for index, card in enumerate(CARDS)
    )
    error = intent["last_payment_error"]
    alert = f'<p role="alert">{html.escape(error["message"])} Choose another card.</p>' if error else ""
    return alert + _FORM.format(choices=choices, amount=html.escape(amount))


def _grouped(number: str) -> str:
    return " ".join(number[index : index + 4] for index in range(0, len(number), 4))
