"""The details of a concert and the location of its venue, in one field of the concert's document.

They are outside `venue`, because earlier versions of Onsale would not expect them there. Those
versions leave this field unchanged when they change a concert.
"""

from dataclasses import asdict, replace
from typing import Any

from domain.catalog.details import NO_DETAILS, ConcertDetails, ConcertLink, Coordinates, Genre
from domain.concerts import ConcertTerms, Venue
from storage.mongo.client import Document


def write_details(terms: ConcertTerms) -> Document:
    details, venue = terms.details, terms.venue
    return {
        "artist": details.artist,
        "genre": details.genre,
        "doorsAt": details.doors_at,
        "minimumAge": details.minimum_age,
        "links": [asdict(link) for link in details.links],
        "address": venue.address,
        "coordinates": asdict(venue.coordinates) if venue.coordinates else None,
    }


def read_details(document: Document) -> ConcertDetails:
    """Return the details of a concert. An earlier version of Onsale stored none."""
    stored = document.get("details")
    if stored is None:
        return NO_DETAILS
    return ConcertDetails(
        artist=stored["artist"],
        genre=Genre(stored["genre"]) if stored["genre"] else None,
        doors_at=stored["doorsAt"],
        minimum_age=stored["minimumAge"],
        links=tuple(ConcertLink(**link) for link in stored["links"]),
    )


def place_venue(venue: Venue, document: Document) -> Venue:
    """Return the venue of a concert with its address and its coordinates."""
    stored: dict[str, Any] = document.get("details") or {}
    coordinates = stored.get("coordinates")
    return replace(
        venue,
        address=stored.get("address"),
        coordinates=Coordinates(**coordinates) if coordinates else None,
    )
