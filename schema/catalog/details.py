"""The details of a concert and the location of its venue: output types and inputs."""

from typing import Self

import strawberry

import domain.catalog.details
from domain.catalog.details_validation import MAX_LINK_LABEL, MAX_URL


@strawberry.type(description="A point on the map, in degrees of WGS 84, the system of GPS.")
class Coordinates:
    latitude: float = strawberry.field(description="Degrees north of the equator; negative to the south.")
    longitude: float = strawberry.field(description="Degrees east of Greenwich; negative to the west.")

    @classmethod
    def of(cls, point: domain.catalog.details.Coordinates) -> Self:
        return cls(latitude=point.latitude, longitude=point.longitude)


@strawberry.type(
    description=("A link to another site, such as the artist's. The concert's organizer is responsible for it.")
)
class ConcertLink:
    label: str = strawberry.field(description="The text of the link.")
    url: str = strawberry.field(description="An https address.")

    @classmethod
    def of(cls, link: domain.catalog.details.ConcertLink) -> Self:
        return cls(label=link.label, url=link.url)


@strawberry.input(description="A point on the map, in degrees of WGS 84, the system of GPS.")
class CoordinatesInput:
    latitude: float = strawberry.field(description="Degrees north of the equator, from -90 to 90.")
    longitude: float = strawberry.field(description="Degrees east of Greenwich, from -180 to 180.")

    def read(self) -> domain.catalog.details.Coordinates:
        return domain.catalog.details.Coordinates(self.latitude, self.longitude)


@strawberry.input(description="A link to another site, such as the artist's.")
class ConcertLinkInput:
    label: str = strawberry.field(description=f"The text of the link, at most {MAX_LINK_LABEL} characters.")
    url: str = strawberry.field(
        description=f"An https address without a user name, at most {MAX_URL:,} ASCII characters."
    )

    def read(self) -> domain.catalog.details.ConcertLink:
        return domain.catalog.details.ConcertLink(self.label, self.url)
