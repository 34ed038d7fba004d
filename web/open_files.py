"""The limit on open files. Every socket counts as an open file, and shells usually allow only a
thousand.
"""

import resource


def raise_open_file_limit() -> None:
    """Raise the limit on open files to the hard limit, which the administrator has set."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
