"""Moves a concert into the past, and deletes its keys if they would have expired."""

from datetime import UTC, datetime, timedelta

from domain.ids import ConcertId
from schema.ids import Kind, argument
from storage.hot.hot_state import KEYS_OUTLIVE_CONCERT
from storage.keys import concert_keys
from tests.support.shop import OnSale, Shop


def raw_id(concert: OnSale) -> ConcertId:
    return ConcertId(argument("id", concert.id, Kind.CONCERT).parts[0])


async def move_into_past(shop: Shop, concert: OnSale, *, days: int = 31) -> None:
    """Set the concert's date to `days` days ago. If its keys would have expired, delete them."""
    over = datetime.now(UTC) - timedelta(days=days)
    times = {"startsAt": over, "salesEndAt": over, "salesStartAt": over - timedelta(days=9)}
    await shop.stores.mongo["concerts"].update_one({"_id": raw_id(concert)}, {"$set": times})
    if days > KEYS_OUTLIVE_CONCERT.days:
        await shop.stores.script_client.run_command("DEL", *concert_keys(raw_id(concert)))
