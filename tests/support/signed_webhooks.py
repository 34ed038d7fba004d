"""Signs webhooks as Stripe does."""

import hashlib
import hmac
from datetime import datetime

SECRET, OTHER_SECRET = "whsec_kW9sQpT2xRz7LmB4vYc8", "whsec_NfJ1hDg6EaU3kW9sQpT2"


def sign(body: bytes, at: datetime, *secrets: str) -> dict[str, str]:
    """Return the headers of a delivery that is signed at this time, with SECRET by default."""
    seconds = int(at.timestamp())
    content = b"%d." % seconds + body
    signatures = [hmac.new(secret.encode(), content, hashlib.sha256).hexdigest() for secret in secrets or (SECRET,)]
    return {"stripe-signature": ",".join([f"t={seconds}", *(f"v1={signature}" for signature in signatures)])}
