"""`make fuzz`: fuzzes the HTTP endpoint and the WebSocket endpoint of a server that it starts.

The exit status is 1 if an answer was wrong or the server logged a traceback.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.clients.console import write_status
from bench.clients.servers import app_settings, run_app, run_stores
from bench.clients.tokens import sign_in
from proofs.fuzz.documents import WrongAnswer, fuzz_documents
from proofs.fuzz.sockets import LostSocket, fuzz_sockets

EXAMPLES_PER_ROUND = 200
PEOPLE = ("alice", "olivia", "gus")


async def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        async with (
            run_stores(directory) as (valkey, mongod),
            run_app(directory / "app", app_settings(valkey.url, mongod.url)) as app,
        ):
            tokens = await sign_in(app.issuer, PEOPLE)
            try:
                await asyncio.to_thread(_fuzz, app.url, [None, *tokens.values()], seconds)
            except (WrongAnswer, LostSocket) as error:
                sys.stdout.write(f"wrong: {error}\n")
                return 1
            log = (app.directory / "log").read_text()
    if "Traceback" in log:
        sys.stdout.write(f"the server logged a traceback:\n{log}\n")
    return int("Traceback" in log)


def _fuzz(url: str, tokens: list[str | None], seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    documents = sockets = 0
    while time.monotonic() < ends_s:
        documents += fuzz_documents(url, examples=EXAMPLES_PER_ROUND, tokens=tokens)
        sockets += fuzz_sockets(url, examples=EXAMPLES_PER_ROUND)
        write_status(f"{documents} documents and {sockets} sockets: nothing wrong\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    sys.exit(asyncio.run(main(parser.parse_args().seconds)))
