"""The content security policies of the pages: what a browser may load for each of them.

No page runs scripts from another host, except that the checkout runs Stripe's if Stripe takes the
payments. No page runs inline scripts.
"""

from urllib.parse import urlsplit

from auth.public_site import site_of
from payments.checkout import Checkout
from settings import Settings

_CLOSED = {"base-uri": "'none'", "frame-ancestors": "'none'"}
# https://docs.stripe.com/security/guide#content-security-policy
_STRIPE_SCRIPTS = "https://js.stripe.com https://*.js.stripe.com"
_STRIPE = {
    "script-src": f"'self' {_STRIPE_SCRIPTS}",
    "frame-src": f"{_STRIPE_SCRIPTS} https://hooks.stripe.com",
    "img-src": "https://*.stripe.com",
    "connect-src": "https://api.stripe.com",
}


def graphiql_policy(settings: Settings) -> str:
    """Return the policy of GraphiQL, which adds styles to the page, and loads fonts and icons from
    `data:` URLs.
    """
    return _join(
        {
            "default-src": "'none'",
            "script-src": "'self'",
            "worker-src": "'self'",
            "style-src": "'self' 'unsafe-inline'",
            "font-src": "'self' data:",
            "img-src": "'self' data:",
            "connect-src": _connections(settings),
            "form-action": "'none'",
            **_CLOSED,
        }
    )


def shop_policy(settings: Settings) -> str:
    """Return the policy of the shop's pages, except the checkout."""
    return _join(_shop_rules(settings))


def checkout_policy(settings: Settings, checkout: Checkout) -> str:
    """Return the policy of the page on which an order is paid.

    It is the shop's policy, and allows the provider that takes the payments: Stripe's script and
    frames, or requests to the sandbox.
    """
    rules = _shop_rules(settings)
    if checkout.provider == "stripe":
        for name, sources in _STRIPE.items():
            is_whole = name not in rules or sources.startswith("'self'")
            rules[name] = sources if is_whole else f"{rules[name]} {sources}"
    elif checkout.sandbox_url is not None:
        rules["connect-src"] += f" {_origin(checkout.sandbox_url)}"
    return _join(rules)


def _shop_rules(settings: Settings) -> dict[str, str]:
    """Styles that scripts set are not inline styles, so React and Stripe need no exception."""
    return {
        "default-src": "'none'",
        "script-src": "'self'",
        "worker-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"'self'{_image_hosts(settings)} data: blob:",
        "media-src": "'self'",
        "manifest-src": "'self'",
        "connect-src": _connections(settings),
        "form-action": "'self'",
        **_CLOSED,
    }


def _connections(settings: Settings) -> str:
    """In development, a page also signs demo users in at our own issuer, under its own host name.

    'self' covers our WebSocket too (Content Security Policy Level 3).
    """
    return f"'self' {_origin(settings.issuer)}" if settings.has_own_issuer else "'self'"


def _image_hosts(settings: Settings) -> str:
    """In development, the page may have been opened under another name than its images have."""
    return "" if settings.public_url else f" {site_of(settings).origin}"


def _origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def _join(rules: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())
