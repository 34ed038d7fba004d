"""Verifies the signatures of webhooks with the official library, and says why one is refused.

A signature covers the bytes of the body. The two common faults, a proxy that changes the body and a
wrong secret, look alike. A refusal therefore names both, unless the body verifies after a usual
change is undone; then it names only the proxy.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import stripe

from payments.provider import WebhookRefused
from payments.stripe.reencodings import find_reencoding

SIGNATURE_HEADER = "stripe-signature"
MAX_AGE_S = 300
"""How old, or how far in the future, a signature may be. Stripe signs every delivery anew."""
MAX_HEADER_CHARACTERS = 4_096
"""The maximum length of the header. Stripe signs with at most a few secrets, 70 characters each."""
SEARCH_INTERVAL_S = 1
"""The shortest time between two searches for a change. A search costs far more than a check, and
anyone can send a body with a wrong signature.
"""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


class WebhookVerifier:
    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._searched_at = datetime.min.replace(tzinfo=UTC)

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """Raise WebhookRefused unless one of our secrets signed the body within MAX_AGE_S."""
        header = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
        if not header:
            raise WebhookRefused(
                "missing", "The header Stripe-Signature is missing. Only Stripe may call this address."
            )
        signed_at = _read_timestamp(header)
        if not self._is_signed(body, header):
            raise WebhookRefused("mismatched", self._explain_mismatch(body, header, now))
        age_s = now.timestamp() - signed_at
        if abs(age_s) > MAX_AGE_S:
            raise _wrong_time(age_s)

    def _is_signed(self, body: bytes, header: str) -> bool:
        return any(_is_signed_by(secret, body, header) for secret in self._secrets)

    def _explain_mismatch(self, body: bytes, header: str, now: datetime) -> str:
        if not self._secrets:
            return "ONSALE_PAYMENT_WEBHOOK_SECRETS is empty. Set it to the signing secret of the webhook endpoint."
        if abs((now - self._searched_at).total_seconds()) >= SEARCH_INTERVAL_S:
            self._searched_at = now
            change = find_reencoding(body, lambda candidate: self._is_signed(candidate, header))
            if change is not None:
                return f"The body was changed on the way: {change}. Configure the proxy to forward it unchanged."
        return (
            f"The signature matches none of the {len(self._secrets)} secrets in ONSALE_PAYMENT_WEBHOOK_SECRETS. "
            "Either the signing secret of this endpoint is not among them, or the body is not the one that Stripe sent."
        )


def _read_timestamp(header: str) -> int:
    """Return when the body was signed, in Unix seconds."""
    items = [item.strip().partition("=") for item in header.split(",")] if len(header) <= MAX_HEADER_CHARACTERS else []
    timestamps = [value for name, _, value in items if name == "t"]
    signatures = [value for name, _, value in items if name == "v1"]
    is_well_formed = len(timestamps) == 1 and _TIMESTAMP.fullmatch(timestamps[0])
    if not is_well_formed or not signatures or not all(_SIGNATURE.fullmatch(value) for value in signatures):
        raise WebhookRefused(
            "malformed", "The header Stripe-Signature does not have the form t=<seconds>,v1=<64 hexadecimal digits>."
        )
    return int(timestamps[0])


def _is_signed_by(secret: str, body: bytes, header: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _wrong_time(age_s: float) -> WebhookRefused:
    reason, side = ("stale", "ago") if age_s > 0 else ("future", "in the future")
    return WebhookRefused(
        reason,
        f"The body was signed {abs(age_s):.0f} s {side}; at most {MAX_AGE_S} s are accepted. "
        "Synchronize the clock of this server, or check whether a proxy delays or repeats requests.",
    )
