"""The concerts of a run: the demo concerts, and one created for the run.

The times of the demo concerts are relative to the current time, so they never go out of date. All
concerts are created through GraphQL by the organizer olivia; demo concerts that already exist are
reused.
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Step
from domain.concerts import ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.demo import demo_drafts
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings

CONCERTS_FILE = Path(__file__).parents[2] / "deploy" / "demo" / "concerts.json"

LIMIT_PER_ORDER = 4
LIMIT_PER_PERSON = 6
PAYMENT_DURATION_S = 60
"""The shortest time to pay that Onsale allows, so that unpaid tickets return during the sale."""
HOLD_DURATION_S = 10
"""Short, so that abandoned holds return their stock during the sale."""

CLAIM_TIMEOUT_S = 10
"""Also short, so that an unclaimed slot is free again within seconds."""
SESSION_S = 15
DISCONNECT_GRACE_S = 20
"""How long an entry is kept without a socket: enough to reconnect after a server is killed."""
HEARTBEAT_S = 100
"""More than three times the longest interval between two polls."""

FIND = "query Find($slug: String!) { concert(by: {slug: $slug}) { id status } }"

CREATE = """mutation Create($input: CreateConcertInput!) {
  createConcert(input: $input) {
    __typename
    ... on CreateConcertSuccess { concert { id status tiers { id capacity } } }
    ... on DomainError { code message retryable }
  }
}"""

PUBLISH = """mutation Publish($input: PublishConcertInput!) {
  publishConcert(input: $input) {
    __typename
    ... on PublishConcertSuccess { concert { id status } }
    ... on DomainError { code message retryable }
  }
}"""


class CatalogRefused(RuntimeError):
    """Raised if a concert cannot be created or published; the message quotes the server."""


@dataclass(frozen=True, slots=True)
class SaleConcert:
    id: str
    tier_ids: tuple[str, ...]


def demo_concerts(now: datetime) -> tuple[ConcertDraft, ...]:
    return demo_drafts(CONCERTS_FILE.read_bytes(), now)


def free_concert(stock: int, now: datetime, room: RoomSettings = NO_ROOM) -> ConcertDraft:
    """Return the concert of a sale with free tickets, for runs that are not about money."""
    priced = sale_concert(stock, now, room)
    return replace(priced, tiers=tuple(replace(tier, price_minor=0) for tier in priced.tiers))


def sale_concert(stock: int, now: datetime, room: RoomSettings = NO_ROOM) -> ConcertDraft:
    """Return a draft with `stock` tickets in three tiers and a sale that began a minute ago."""
    front, middle = stock // 5, stock // 3
    capacities = {"Front": front, "Middle": middle, "Rear": stock - front - middle}
    prices_minor = {"Front": 9900, "Middle": 6900, "Rear": 3900}
    return ConcertDraft(
        terms=ConcertTerms(
            name=f"The Rush, {stock:,} tickets",
            venue=Venue("Onsale Hall", "Amsterdam", "NL", "Europe/Amsterdam"),
            description="Created by `make sale`: thousands of people arrive together, and no ticket is sold twice.",
            starts_at=now + timedelta(days=1),
            sales_start_at=now - timedelta(minutes=1),
            sales_end_at=now + timedelta(hours=1),
            limit_per_order=LIMIT_PER_ORDER,
            limit_per_person=LIMIT_PER_PERSON,
            hold_duration_ms=HOLD_DURATION_S * 1000,
            payment_duration_ms=PAYMENT_DURATION_S * 1000,
        ),
        currency=CurrencyCode.EUR,
        tiers=tuple(TierDraft(name, prices_minor[name], capacity) for name, capacity in capacities.items()),
        slug=f"the-rush-{now:%Y%m%d-%H%M%S-%f}",
        room=room,
    )


def waiting_room(stock: int, *, active_users: int | None = None, users_per_minute: int | None = None) -> RoomSettings:
    """Return settings under which both caps take effect.

    The first arrivals fill every slot, and the people called in one minute do not buy everything
    unless the sale is very small.
    """
    return RoomSettings(
        suspended=False,
        total_active_users=active_users or max(stock // 8, 4),
        new_users_per_minute=users_per_minute or max(stock // 2, 60),
        pass_claim_timeout_ms=CLAIM_TIMEOUT_S * 1000,
        session_duration_ms=SESSION_S * 1000,
        heartbeat_timeout_ms=HEARTBEAT_S * 1000,
        disconnect_grace_ms=DISCONNECT_GRACE_S * 1000,
    )


async def load(client: Client, drafts: tuple[ConcertDraft, ...], token: str) -> int:
    """Create and publish the concerts that do not exist yet; return how many were created."""
    created = 0
    for draft in drafts:
        known = await client.ask(Step.LOAD, FIND, {"slug": draft.slug}, token)
        if isinstance(known, Denied):
            await open_sale(client, draft, token)
            created += 1
        elif known["status"] == "DRAFT":  # An earlier run stopped before publishing.
            await _publish(client, known["id"], token)
    return created


async def open_sale(client: Client, draft: ConcertDraft, token: str) -> SaleConcert:
    concert = (await _mutate(client, CREATE, _input(draft), token))["concert"]
    await _publish(client, concert["id"], token)
    return SaleConcert(concert["id"], tuple(tier["id"] for tier in concert["tiers"]))


async def _publish(client: Client, concert_id: str, token: str) -> None:
    await _mutate(client, PUBLISH, {"concertId": concert_id}, token)


async def _mutate(client: Client, document: str, input_: JsonObject, token: str) -> JsonObject:
    answer = await client.ask(Step.LOAD, document, {"input": input_}, token)
    if isinstance(answer, Denied) or "code" in answer:
        raise CatalogRefused(f"{input_.get('name') or input_['concertId']}: {answer}")
    return answer


def _input(draft: ConcertDraft) -> JsonObject:
    details, coordinates = draft.terms.details, draft.terms.venue.coordinates
    return {
        "name": draft.terms.name,
        "slug": draft.slug,
        "venue": {
            "name": draft.terms.venue.name,
            "city": draft.terms.venue.city,
            "country": draft.terms.venue.country,
            "timeZone": draft.terms.venue.time_zone,
            "address": draft.terms.venue.address,
            "coordinates": asdict(coordinates) if coordinates else None,
        },
        "artist": details.artist,
        "genre": details.genre,
        "minimumAge": details.minimum_age,
        "links": [asdict(link) for link in details.links],
        "doorsAt": _utc(details.doors_at) if details.doors_at else None,
        "description": draft.terms.description,
        "startsAt": _utc(draft.terms.starts_at),
        "salesStartAt": _utc(draft.terms.sales_start_at),
        "salesEndAt": _utc(draft.terms.sales_end_at),
        "currency": draft.currency,
        "limitPerOrder": draft.terms.limit_per_order,
        "limitPerPerson": draft.terms.limit_per_person,
        "holdDurationSeconds": draft.terms.hold_duration_ms // 1000,
        "paymentDurationSeconds": draft.terms.payment_duration_ms // 1000,
        "waitingRoom": {
            "suspended": draft.room.suspended,
            "totalActiveUsers": draft.room.total_active_users,
            "newUsersPerMinute": draft.room.new_users_per_minute,
            "passClaimTimeoutSeconds": draft.room.pass_claim_timeout_ms // 1000,
            "sessionDurationSeconds": draft.room.session_duration_ms // 1000,
            "heartbeatTimeoutSeconds": draft.room.heartbeat_timeout_ms // 1000,
            "disconnectGraceSeconds": draft.room.disconnect_grace_ms // 1000,
        },
        "tiers": [{"name": t.name, "priceMinor": t.price_minor, "capacity": t.capacity} for t in draft.tiers],
    }


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
