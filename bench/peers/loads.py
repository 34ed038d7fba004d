"""The loads with which Onsale alone is measured, besides holds of one ticket for one concert.

Each load differs from those holds in one way, and its buyers have queue passes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.queueing.users import make_address
from bench.runs import Result
from bench.stock_sale import StockSale

RELEASE = """mutation Release($input: ReleaseHoldInput!) {
  releaseHold(input: $input) {
    __typename
    ... on ReleaseHoldSuccess { hold { id state } }
    ... on DomainError { code message }
  }
}"""
PROXY_HEADERS = (
    "traceparent: 00-000000000000__UNIQUE__-00f067aa0ba902b7-01",
    "X-Request-ID: 000000000000__UNIQUE__",
    "X-Forwarded-For: __ADDRESS__",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: tickets.example.com",
)
"""The headers that nginx adds, and that of a trace. No two requests have the same ones."""


@dataclass(frozen=True, slots=True)
class Load:
    name: str
    about: str
    """How the load differs from holds of one ticket for one concert."""
    connections: tuple[int, ...] = (64,)
    """The numbers of connections with which it is measured."""
    lines: int = 1
    """The lines of a hold, each for one ticket of a tier of its own."""
    concerts: int = 1
    """The concerts that are sold at the same time. Each buyer holds tickets for one of them."""
    release_every: int = 0
    """Which holds are released by the next request on their connection: each one with a multiple of
    this number. None is released if it is 0.
    """
    is_durable: bool = False
    """Whether Valkey writes each hold to its disk before it answers."""
    headers: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that the server has only with this load."""

    @property
    def server(self) -> str:
        """The name of the server in the results."""
        return f"onsale-pass-{self.name}" if self.name else "onsale-pass"


ONE_TICKET = Load("", "")
LOADS = (
    Load("releases", "a tenth of the holds is released", release_every=10),
    Load("two-lines", "holds of two lines", lines=2),
    Load("50-concerts", "50 concerts at once", (64, 256), concerts=50),
    Load("durable", "Valkey with `appendfsync always`", is_durable=True),
    Load(
        "proxy",
        "a new trace, request id and client address in each request",
        (64, 256),
        headers=PROXY_HEADERS,
        settings={"TRUSTED_PROXIES": "127.0.0.1"},
    ),
)


def make_options(sale: StockSale, load: Load, passes: Sequence[str]) -> dict[str, str]:
    """Return the options of the load generator for a load.

    `passes` are the queue passes of the people, in their order; empty without a waiting room.
    """
    lines = [{"tierId": f"__TIER_{number}__", "quantity": 1} for number in range(load.lines)]
    input_ = {"concertId": "__CONCERT__", "lines": lines, "idempotencyKey": "__UNIQUE__"}
    if passes:
        input_["queuePass"] = "__PASS__"
    values = sale.tokens.with_name("values")
    values.write_text(_list_values(sale, load, passes))
    changed = {"variables": json.dumps({"input": input_}), "values-file": str(values)}
    headers = {"headers": "\n".join(load.headers)} if load.headers else {}
    return {**sale.hold_options(), **changed, **headers, **_release_options(load)}


def _release_options(load: Load) -> dict[str, str]:
    if not load.release_every:
        return {}
    return {
        "release-every": str(load.release_every),
        "release-query": RELEASE,
        "release-variables": json.dumps({"input": {"holdId": "__HOLD__"}}),
        "release-type-path": "data.releaseHold.__typename",
        "release-want-type": "ReleaseHoldSuccess",
    }


def _list_values(sale: StockSale, load: Load, passes: Sequence[str]) -> str:
    """Return a line with the marks of the options, and one for each person with their values."""
    tiers = [f"__TIER_{number}__" for number in range(load.lines)]
    rows = [["__ADDRESS__", "__CONCERT__", *tiers, *(["__PASS__"] if passes else [])]]
    for number in range(len(sale.people)):
        concert = sale.concert_of(number)
        address = make_address(number).replace("127.", "10.", 1)
        rows.append([address, concert.id, *concert.tier_ids[: load.lines], *passes[number : number + 1]])
    return "".join(" ".join(row) + "\n" for row in rows)


async def check_load(sale: StockSale, load: Load, held_before: int, result: Result) -> None:
    """Raise NotMeasured if an answer was wrong, or if the stock differs from the answers."""
    kept = result["good_in_all"] - result["released_in_all"]
    if load.release_every and not result["releases_per_s"]:
        result["errors"]["no hold was released"] = 1
    await sale.check_held({**result, "good_in_all": kept * load.lines}, held_before=held_before)
