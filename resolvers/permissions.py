"""The rights of a concert's organizer, checked without an extra read of the concert."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auth.viewer import Role, Viewer
from domain.concerts import Concert, ConcertStatus, Tier
from domain.errors import Forbidden, NotFound, NotOnSale
from domain.ids import ConcertId, PersonId
from domain.stock import Stock
from resolvers.context import Context


def organizes(context: Context, concert: Concert) -> bool:
    """Return whether the viewer is the concert's organizer or an admin."""
    return context.organizes(concert.organizer_id)


def visible_tiers(context: Context, concert: Concert) -> tuple[Tier, ...]:
    """Return the tiers without those that are hidden from the viewer."""
    public = concert.public_tiers
    return concert.tiers if len(public) == len(concert.tiers) or organizes(context, concert) else public


def visible_stock(context: Context, stock: Stock) -> Stock:
    """Return the stock without the tiers that are hidden from the viewer."""
    public = stock.public
    return stock if public is stock or context.organizes(stock.organizer_id) else public


def require_organizer(context: Context, concert: Concert) -> None:
    """Raise Forbidden unless the viewer is the concert's organizer or an admin. For a draft, whose
    existence is not public, raise NotFound instead.
    """
    if organizes(context, concert):
        return
    if concert.status is ConcertStatus.DRAFT:
        raise NotFound("Concert", concert.id)
    raise not_the_organizer(context.signed_in())


def works_at_gate(context: Context, concert: Concert) -> bool:
    """Return whether the viewer may check tickets at the concert: as a member of its gate staff
    with the role `gate`, as its organizer, or as an admin.
    """
    viewer = context.viewer
    if viewer is None:
        return False
    return (Role.GATE in viewer.roles and viewer.person_id in concert.gate_people) or organizes(context, concert)


async def get_concert_at_gate(context: Context, concert_id: ConcertId) -> Concert:
    """Return the concert if the viewer may check its tickets.

    Raises Forbidden, or NotFound for a draft, whose existence is not public.
    """
    concert = await context.stores.concerts.get(concert_id)
    if concert is None:
        raise NotFound("Concert", concert_id)
    if works_at_gate(context, concert):
        return concert
    if concert.status is ConcertStatus.DRAFT:
        raise NotFound("Concert", concert_id)
    raise not_at_the_gate(context.signed_in())


def not_at_the_gate(viewer: Viewer) -> Forbidden:
    return Forbidden(
        "Only the gate staff and the organizer of this concert can do this."
        f" You are signed in as {viewer.name}; ask the organizer to add you to `gatePeople`."
    )


def not_the_organizer(viewer: Viewer) -> Forbidden:
    return Forbidden(
        "Only the organizer of this concert and admins can do this."
        f" You are signed in as {viewer.name}; sign in as its organizer."
    )


@contextmanager
def draft_raises(make_refusal: Callable[[], NotFound]) -> Iterator[None]:
    """Convert NotOnSale for a draft, whose existence is not public, into the refusal for an object
    that does not exist.
    """
    try:
        yield
    except NotOnSale as error:
        if error.status is ConcertStatus.DRAFT:
            raise make_refusal() from error
        raise


async def find_organizer(context: Context, concert_id: ConcertId, *, owner: PersonId) -> PersonId | None:
    """Return the organizer of the concert for which `owner` has an order or a hold.

    Returns None without a read if the organizer cannot matter, because the viewer is the owner or
    lacks the role `organizer`. Changes by other processes are visible within two seconds.
    """
    viewer = context.signed_in()
    if viewer.person_id == owner or not viewer.is_organizer:
        return None
    concert = await context.stores.concert_cache.get(concert_id)
    return concert.organizer_id if concert else None


async def may_see(context: Context, concert_id: ConcertId, *, owner: PersonId) -> bool:
    """Return whether the viewer may see an order or a hold of `owner` for the concert."""
    viewer = context.signed_in()
    return viewer.person_id == owner or viewer.organizes(await find_organizer(context, concert_id, owner=owner))
