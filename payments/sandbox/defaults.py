"""The default API keys and webhook secret of a sandbox, as Onsale's settings have them."""

from settings.payment import SANDBOX_PUBLISHABLE_KEY as PUBLISHABLE_KEY
from settings.payment import SANDBOX_SECRET_KEY as SECRET_KEY
from settings.payment import SANDBOX_WEBHOOK_SECRET as WEBHOOK_SECRET

__all__ = ["PUBLISHABLE_KEY", "SECRET_KEY", "WEBHOOK_SECRET"]
