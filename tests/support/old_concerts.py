"""Makes stored concerts look as if an earlier version of Onsale had stored them."""

from typing import Any

from schema.ids import decode
from tests.support.shop import OnSale, Shop


async def remove_time_zone(shop: Shop, concert: OnSale, *, country: str) -> None:
    """Store a concert in this country as versions without time zones did."""
    changes: dict[str, Any] = {"$unset": {"timeZone": ""}, "$set": {"venue.country": country}}
    await shop.stores.mongo["concerts"].update_one({"_id": decode(concert.id).parts[0]}, changes)
