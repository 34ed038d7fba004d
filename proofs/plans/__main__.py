"""`make prove-plans`: compares plans with graphql-core on random operations of the real SDL.

The exit status is 1 if an answer, an error or a call of a resolver differed.
"""

import argparse
import asyncio
import logging
import sys
from random import Random

from bench.clients.console import write_status
from proofs.plans.comparison import Different
from proofs.plans.proof import Counts, prove_operations

OPERATIONS_PER_WORLD = 50


async def main(operations: int, seed: int) -> int:
    counts = Counts()
    try:
        while counts.operations < operations:
            await prove_operations(seed + counts.operations, OPERATIONS_PER_WORLD, counts)
            write_status(f"{counts}\n")
    except Different as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    logging.disable()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    chosen = Random().randrange(2**30) if arguments.seed is None else arguments.seed
    sys.exit(asyncio.run(main(arguments.operations, chosen)))
