"""`python -m bench.watch <slug>`, run by `make watch`: shows a running sale in the terminal.

It uses the public API: it subscribes to the stock and polls the waiting room once per second. In a
terminal, it updates one view in place; on any other output, it writes a line for each change.
Ctrl-C ends it.
"""

import argparse
import asyncio
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.clients.http_client import Client, Denied, JsonObject, open_client
from bench.clients.ledger import Ledger, Step
from bench.clients.subscription import SocketLost, SocketRefused, subscribed

CONCERT = """query Concert($slug: String!) {
  concert(by: {slug: $slug}) {
    id name status tiers { id name }
    stock { version epoch tiers { tierId capacity available held sold } }
  }
}"""

ROOM = """query Room($id: ID!) {
  waitingRoom(concertId: $id) {
    suspended waitingCount servingNumber slotsTaken totalActiveUsers newUsersPerMinute passesIssued
  }
}"""

STOCK = """subscription Stock($id: ID!) {
  stockChanged(concertId: $id) { version epoch tiers { tierId capacity available held sold } }
}"""

POLL_INTERVAL_S = 1.0
RETRY_AFTER_S = 1.0
FIND_WITHIN_S = 10.0
RATE_WINDOW_S = 10.0
BAR_WIDTH = 40


class NothingToWatch(Exception):
    """Raised if the concert cannot be shown; the message says why and what to do."""


@dataclass(slots=True)
class LiveSale:
    name: str
    tiers: dict[str, str]
    """Tier names by id, in the concert's order."""
    stock: JsonObject = field(default_factory=dict)
    room: JsonObject = field(default_factory=dict)
    sold_at: deque[tuple[float, int]] = field(default_factory=deque)

    def show_stock(self, stock: JsonObject, now_s: float) -> None:
        """Replace the stock if the new one is newer than the one shown."""
        shown = (self.stock.get("epoch", -1), self.stock.get("version", -1))
        if (stock["epoch"], stock["version"]) <= shown:
            return
        self.stock = stock
        self.sold_at.append((now_s, self.sold))
        while self.sold_at[0][0] < now_s - RATE_WINDOW_S:
            self.sold_at.popleft()

    @property
    def sold(self) -> int:
        return sum(tier["sold"] for tier in self.stock["tiers"])

    @property
    def capacity(self) -> int:
        return sum(tier["capacity"] for tier in self.stock["tiers"])

    def sold_per_s(self, now_s: float) -> float:
        """Return the recent sales rate, in tickets per second."""
        recent = [(at_s, sold) for at_s, sold in self.sold_at if at_s >= now_s - RATE_WINDOW_S]
        return (recent[-1][1] - recent[0][1]) / RATE_WINDOW_S if recent else 0.0


def draw_bars(sale: LiveSale, now_s: float) -> list[str]:
    full = sale.sold * BAR_WIDTH // max(sale.capacity, 1)
    width = max(len(name) for name in sale.tiers.values())
    return [
        sale.name,
        f"sold  [{'#' * full}{'.' * (BAR_WIDTH - full)}] {_sales(sale)}, {sale.sold_per_s(now_s):.1f}/s",
        f"queue {_queue(sale.room)}",
        *(f"{sale.tiers[tier['tierId']]:<{width}}  {_tier(tier)}" for tier in sale.stock["tiers"]),
    ]


def draw_line(sale: LiveSale) -> str:
    tiers = "; ".join(f"{sale.tiers[tier['tierId']]} {_tier(tier)}" for tier in sale.stock["tiers"])
    return f"sold {_sales(sale)} | {_queue(sale.room)} | {tiers}"


def _sales(sale: LiveSale) -> str:
    return f"{sale.sold:,} of {sale.capacity:,}"


def _queue(room: JsonObject) -> str:
    if room.get("suspended"):
        return "no waiting room, so no pass is needed"
    return (
        f"{room['waitingCount']:,} waiting, number {room['servingNumber']:,} served, "
        f"{room['slotsTaken']:,} of {room['totalActiveUsers']:,} inside, {room['passesIssued']:,} passes claimed"
    )


def _tier(tier: JsonObject) -> str:
    return f"{tier['available']:,} left, {tier['held']:,} held, {tier['sold']:,} sold of {tier['capacity']:,}"


async def watch(url: str, slug: str) -> None:
    """Show a sale until canceled. Raises NothingToWatch."""
    async with open_client([url], Ledger()) as client:
        concert = await _find(client, url, slug)
        sale = LiveSale(concert["name"], {tier["id"]: tier["name"] for tier in concert["tiers"]})
        sale.show_stock(concert["stock"], time.monotonic())
        await _read_room(client, concert["id"], sale)
        following = (_follow_stock(url, concert["id"], sale), _follow_room(client, concert["id"], sale))
        tasks = [asyncio.create_task(work) for work in (*following, _draw(sale))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _find(client: Client, url: str, slug: str) -> JsonObject:
    try:
        async with asyncio.timeout(FIND_WITHIN_S):
            concert = await client.ask(Step.LOAD, CONCERT, {"slug": slug}, None)
    except TimeoutError:
        raise NothingToWatch(f"{url} does not answer; start it with `make run`, or set URL to another server") from None
    if isinstance(concert, Denied):
        raise NothingToWatch(f"{url} has no concert {slug!r}: {concert.message}")
    if concert["stock"] is None:
        raise NothingToWatch(f"the stock of {slug!r} cannot be read; the concert is {concert['status']}")
    return concert


async def _follow_stock(url: str, concert_id: str, sale: LiveSale) -> None:
    while True:
        try:
            async with subscribed(url, None, STOCK, {"id": concert_id}) as subscription:
                async for stock in subscription:
                    sale.show_stock(stock, time.monotonic())
        except SocketLost:
            pass  # The next subscription starts with a complete snapshot.
        except SocketRefused as refused:
            raise NothingToWatch(f"{url} refused the subscription: {refused}") from refused
        await asyncio.sleep(RETRY_AFTER_S)


async def _follow_room(client: Client, concert_id: str, sale: LiveSale) -> None:
    while True:
        await asyncio.sleep(POLL_INTERVAL_S)
        await _read_room(client, concert_id, sale)


async def _read_room(client: Client, concert_id: str, sale: LiveSale) -> None:
    room = await client.ask(Step.POLL, ROOM, {"id": concert_id}, None)
    if not isinstance(room, Denied):
        sale.room = room


async def _draw(sale: LiveSale) -> None:
    screen = Screen()
    while True:
        screen.show(sale, time.monotonic())
        await asyncio.sleep(screen.every_s)


class Screen:
    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._height = 0
        self._last = ""
        self.every_s = 0.2 if self._is_terminal else POLL_INTERVAL_S

    def show(self, sale: LiveSale, now_s: float) -> None:
        if self._is_terminal:
            lines = draw_bars(sale, now_s)
            up = f"\x1b[{self._height}A" if self._height else ""
            self._write(up + "".join(f"\r{line}\x1b[K\n" for line in lines))
            self._height = len(lines)
        elif (line := draw_line(sale)) != self._last:
            self._last = line
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.watch", description="Watch a running sale.")
    parser.add_argument("concert", help="the slug of the concert, as in `concerts { nodes { slug } }`")
    parser.add_argument("--url", default="http://localhost:8000", help="the server (http://localhost:8000)")
    options = parser.parse_args(words)
    try:
        asyncio.run(watch(options.url.rstrip("/"), options.concert))
    except NothingToWatch as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
