"""Fills the sections of a page between markers, and leaves the rest unchanged."""

import re
from collections.abc import Mapping

_SECTION = re.compile(r"(<!-- begin ([a-z]+): .*? -->\n)(.*?)(<!-- end \2 -->)", re.DOTALL)


class PageError(ValueError):
    """Raised if a page has other sections than the results; the message names them."""


def fill(page: str, sections: Mapping[str, str]) -> str:
    """Return the page with each section between its markers. Raises PageError."""
    found = [match[2] for match in _SECTION.finditer(page)]
    if sorted(found) != sorted(sections):
        raise PageError(f"the page has sections for {sorted(found)}, and the results for {sorted(sections)}")
    return _SECTION.sub(lambda match: f"{match[1]}\n{sections[match[2]].strip()}\n\n{match[4]}", page)
