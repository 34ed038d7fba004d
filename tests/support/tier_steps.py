"""Steps with the rules of tiers."""

from datetime import UTC, datetime, timedelta

from auth.viewer import Role
from domain.concerts import Concert, ConcertChange, TierChange
from domain.holds import Hold
from domain.tiers.rules import Rule, TierRulesPatch
from resolvers import concerts, holds
from resolvers.context import Context
from storage.connect import Stores
from tests.support.sale import context, key, lines, organizer


def minutes(count: int) -> datetime:
    """Return the time in so many minutes, or so many ago if `count` is negative."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=count)


def rules_change(concert: Concert, tier: int = 0, **rules: Rule) -> ConcertChange:
    return ConcertChange(tiers=(TierChange(concert.tiers[tier].id, rules=TierRulesPatch(tuple(rules.items()))),))


async def set_rules(stores: Stores, concert: Concert, tier: int = 0, **rules: Rule) -> Concert:
    change = rules_change(concert, tier, **rules)
    return await concerts.update_concert(organizer(stores), concert.id, change, expected_version=None)


def seller(stores: Stores, name: str = "olivia", role: Role = Role.ORGANIZER) -> Context:
    """Return the context of an organizer or an admin who may also buy."""
    return context(stores, name, Role.CUSTOMER, role)


async def hold_as(asking: Context, concert: Concert, *quantities: int, with_key: str = "") -> Hold:
    return await holds.hold_tickets(asking, concert.id, lines(concert, *quantities), with_key or key())
