"""The values that every browser needs to pay, in addition to the intent of its order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkout:
    provider: str = "sandbox"
    """The name of the provider: `stripe` or `sandbox`."""
    publishable_key: str = ""
    sandbox_url: str | None = None
    """The public address of the sandbox. None for any other provider."""

    def test_payment_url(self, intent_id: str, client_secret: str) -> str | None:
        """Return the sandbox's page on which a person pays an intent with a test card."""
        if self.sandbox_url is None:
            return None
        return f"{self.sandbox_url}/pay/{intent_id}?client_secret={client_secret}"
