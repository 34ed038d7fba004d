"""The default API keys and webhook secret of a sandbox. They protect nothing."""

SECRET_KEY = "sk_test_sandbox"
PUBLISHABLE_KEY = "pk_test_sandbox"
WEBHOOK_SECRET = "whsec_onsale_sandbox_webhooks"
