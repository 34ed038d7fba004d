"""Names under which other servers accept an access token.

Onsale uses these names only to detect a client that needs a hint.
"""

from collections.abc import Mapping

_NAMES = frozenset({"accesstoken", "authorization", "authtoken", "bearertoken", "jwt", "token"})


def is_token_name(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") in _NAMES


def has_token_under_other_name(payload: Mapping[str, object]) -> bool:
    """Return whether the payload of connection_init has a string under one of these names.

    Objects in the payload, such as `headers`, are searched too.
    """
    members = [payload, *(value for value in payload.values() if isinstance(value, dict))]
    return any(
        is_token_name(name) and isinstance(value, str) and bool(value)
        for member in members
        for name, value in member.items()
    )
