"""Country codes of ISO 3166-1, as the package tzdata lists them, so that every process knows the
same codes.
"""

from functools import cache
from importlib.resources import files

_KOSOVO = "XK"
"""The standard leaves this code to its users; the European Union uses it for Kosovo."""


def is_country(code: str) -> bool:
    """Return whether this is an assigned alpha-2 code, in capital letters."""
    return code in _codes()


@cache
def _codes() -> frozenset[str]:
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")) | {_KOSOVO}
