"""Stripe's signature of a webhook: an HMAC over the time of sending and the body."""

import hashlib
import hmac


def sign(body: bytes, secret: str, at: int) -> str:
    """Return the value of the header `Stripe-Signature`. `at` is in seconds since 1970."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
