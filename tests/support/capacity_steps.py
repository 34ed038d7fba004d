"""Test steps that change and read capacities on real stores."""

from domain.concerts import Concert, ConcertChange, TierChange
from resolvers import concerts
from storage.connect import Stores
from tests.support.sale import organizer


async def resize(stores: Stores, concert: Concert, capacity: int) -> Concert:
    change = ConcertChange(tiers=(TierChange(concert.tiers[0].id, capacity=capacity),))
    return await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)


async def read_capacities(stores: Stores, concert: Concert) -> tuple[int, int, int | None]:
    """Return the stored capacity, the capacity on sale, and the target."""
    stored = await stores.concerts.get(concert.id)
    assert stored is not None
    tier = stored.tiers[0]
    return tier.capacity, tier.on_sale, tier.capacity_target
