"""Makes text harmless in mails and logs: removes links from names, and masks addresses in
messages.
"""

import re

# Mail programs turn host names and URLs into links. Browsers accept each of these characters as a
# separator in a host name.
_INSIDE_LINK = re.compile("([.:\u3002\uff0e\uff61])(?=\\S)")
_ADDRESS = re.compile(r"([^\s<>\"'(),;:@])([^\s<>\"'(),;:@]*)@([^\s<>\"'(),;:@]+)")


def without_links(text: str) -> str:
    """Return the text with a space after each dot and colon, so that no part of it is a link and
    a name such as J.R. Smith stays readable.
    """
    return _INSIDE_LINK.sub(r"\1 ", text)


def mask_addresses(text: str) -> str:
    """Return the text with only the first letter and the domain of each email address."""
    return _ADDRESS.sub(r"\1***@\3", text)
