"""Reads the ledger of the payment sandbox: the bank's side of a sale."""

from collections import Counter
from collections.abc import Mapping

import httpx2

from domain.ids import ConcertId, OrderId
from payments.sandbox.defaults import SECRET_KEY
from proofs.sale.records.store_dump import StoreDumpMissing

TIMEOUT_S = 30.0


async def read_bank(sandbox_url: str | None, concert_id: ConcertId) -> Mapping[OrderId, int]:
    """Return the money, in minor units, that the bank has kept for each order of the concert.

    Raises StoreDumpMissing if the sandbox does not answer.
    """
    kept: Counter[OrderId] = Counter()
    if sandbox_url is None:
        return kept
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    async with httpx2.AsyncClient(base_url=sandbox_url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as http:
        after, has_more = 0, True
        while has_more:
            try:
                page = (await http.get("/sandbox/ledger", params={"starting_after": after})).json()
            except httpx2.TransportError as error:
                raise StoreDumpMissing(f"the payment sandbox does not answer: {error}") from error
            for entry in page["entries"]:
                after = entry["number"]
                if entry["metadata"].get("onsale_concert") == concert_id:
                    kept[OrderId(entry["metadata"]["onsale_order"])] += entry["amount"]
            has_more = page["has_more"]
    return kept
