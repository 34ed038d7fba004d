"""Names under which clients of other servers send an access token. None of them is read here: they
only tell that a hint is needed.
"""

from collections.abc import Mapping

_NAMES = frozenset({"accesstoken", "authorization", "authtoken", "bearertoken", "jwt", "token"})


def is_token_name(name: str) -> bool:
    return name.lower().replace("_", "").replace("-", "") in _NAMES


def has_token_under_other_name(payload: Mapping[str, object]) -> bool:
    """Return whether the payload of connection_init, or an object in it such as `headers`, has
    a text under such a name.
    """
    members = [payload, *(value for value in payload.values() if isinstance(value, dict))]
    return any(
        is_token_name(name) and isinstance(value, str) and bool(value)
        for member in members
        for name, value in member.items()
    )
