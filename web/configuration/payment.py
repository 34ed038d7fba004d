"""The checkout of a process, from its settings: what a page needs to let a buyer pay."""

from payments.checkout import Checkout
from settings import PaymentSettings


def make_checkout(payment: PaymentSettings) -> Checkout:
    sandbox_url = payment.url if payment.provider == "sandbox" else None
    return Checkout(payment.provider, payment.publishable_key or "", sandbox_url)
