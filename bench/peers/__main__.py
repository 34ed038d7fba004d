"""`python -m bench.peers`, run by `make bench-peers`: builds the load generator and the peers."""

import sys

from bench.clients.console import write_status
from bench.peers.build import build_all
from bench.runs import LOADGEN


def main() -> int:
    for line in build_all():
        write_status(f"{line}\n")
    return 0 if LOADGEN.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
