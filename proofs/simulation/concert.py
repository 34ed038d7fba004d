"""Creates the concert of a simulated sale, and its orders as MongoDB would return them."""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.concerts import Concert, ConcertStatus, ConcertTerms, Tier, Venue
from domain.holds import Hold
from domain.ids import OrderId, PersonId, new_concert_id, tier_id
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderStatus
from domain.queues import RoomSettings
from proofs.simulation.scenarios import Scenario

EPOCH = 1
SETUP_S = 2
"""The time between the creation of the concert and the start of the simulation."""


def settings_of(scenario: Scenario) -> RoomSettings:
    return RoomSettings(
        suspended=False,
        total_active_users=scenario.total_active_users,
        new_users_per_minute=scenario.new_users_per_minute,
    )


def concert_of(scenario: Scenario, now: datetime) -> Concert:
    id_ = new_concert_id()
    opens_at = now + timedelta(seconds=scenario.prequeue_s + SETUP_S)
    return Concert(
        terms=ConcertTerms(
            name=scenario.name,
            venue=Venue("Concertgebouw", "Amsterdam", "NL", "Europe/Amsterdam"),
            description=scenario.about,
            starts_at=now + timedelta(days=30),
            sales_start_at=now - timedelta(hours=1),
            sales_end_at=now + timedelta(days=29),
            limit_per_order=10,
            limit_per_person=10,
            hold_duration_ms=600_000,
        ),
        id=id_,
        slug=id_,
        currency=CurrencyCode.EUR,
        tiers=(Tier(tier_id(id_, 1), "All", 5_000, scenario.stock, scenario.stock),),
        status=ConcertStatus.PUBLISHED,
        version=1,
        epoch=EPOCH,
        created_by=PersonId("olivia"),
        organizer_id=PersonId("olivia"),
        created_at=now,
        room=replace(settings_of(scenario), opens_at=opens_at, prequeue_starts_at=now - timedelta(hours=1)),
    )


def order_of(hold: Hold) -> Order:
    return Order(
        id=OrderId(hold.id),
        concert_id=hold.concert_id,
        person_id=hold.person_id,
        status=OrderStatus.PAID,
        units=hold.units,
        released_units=(),
        lines=hold.lines,
        currency=CurrencyCode.EUR,
        customer=Customer("Ada Lovelace", "ada@example.org"),
        version=1,
        events=(),
        created_at=hold.created_at,
    )
