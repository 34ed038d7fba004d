"""Shows the address of a store to operators."""


def shown_address(url: str) -> str:
    """Return the hosts, ports and database of a URL, without user name, password and options."""
    return url.partition("://")[2].rpartition("@")[2].partition("?")[0].rstrip("/")
