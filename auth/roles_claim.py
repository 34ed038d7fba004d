"""Reads the roles from a token, given where the claim is and what the issuer calls our roles."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from auth.viewer import Role


class RolesClaim:
    def __init__(self, path: str, names: Iterable[tuple[str, str]]) -> None:
        """Create the reader. Dots separate the names in `path`; `names` are pairs of our role and
        its name at the issuer.
        """
        self._path = path.split(".")
        self._roles = defaultdict[str, set[Role]](set)
        for role, name in names:
            self._roles[name].add(Role(role))

    def read(self, claims: Mapping[str, object]) -> frozenset[Role]:
        """Return the known roles.

        Unknown roles are ignored. Malformed claims give no roles.
        """
        names = _value_at(claims, self._path)
        if not isinstance(names, list):
            return frozenset()
        known = (self._roles[name] for name in names if isinstance(name, str) and name in self._roles)
        return frozenset[Role]().union(*known)


def _value_at(claims: object, path: Sequence[str]) -> object:
    """Return the value at a path, or None. A name may contain dots, as client ids may."""
    if not path:
        return claims
    if not isinstance(claims, Mapping):
        return None
    for length in range(len(path), 0, -1):
        name = ".".join(path[:length])
        if name in claims and (value := _value_at(claims[name], path[length:])) is not None:
            return value
    return None
