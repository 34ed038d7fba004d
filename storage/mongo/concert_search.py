"""The search fields of a concert: its folded words and city, stored in its document.

In a document written by an earlier version of Onsale, they are missing or may belong to an earlier
name; `backfill` writes them when a process starts.
"""

from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne

from domain.concerts import ConcertFilter, Venue
from domain.text.search_words import SEARCH_FORM, city_key, index_words, query_words
from storage.mongo.client import Collection, Document

BATCH = 500
WITHOUT_SEARCH = {"search": 0}
_LAST = "\U0010ffff"


def search_fields(name: str, artist: str | None, venue: Venue, *, version: int) -> Document:
    """Return the search fields; `version` is the version of the concert that they describe."""
    return {
        "words": list(index_words(name, artist or "", venue.name, venue.city)),
        "city": city_key(venue.city),
        "form": SEARCH_FORM,
        "version": version,
    }


def search_conditions(filter_: ConcertFilter) -> list[Document]:
    """Return the query conditions for the search text and city of a filter. Every word must be a
    prefix of one of the concert's words. Text from clients is compared literally, never as a
    pattern.
    """
    words = query_words(filter_.search or "")
    found: list[Document] = [{"search.words": {"$elemMatch": {"$gte": word, "$lt": word + _LAST}}} for word in words]
    if filter_.city and (city := city_key(filter_.city)):
        found.append({"search.city": city})
    return found


async def backfill(concerts: Collection, *, batch: int = BATCH) -> int:
    """Write search fields that are missing or outdated. Return how many were written.

    Any number of processes may do this at the same time. A concert that changes in the meantime
    keeps its new fields.
    """
    written, after = 0, ""
    is_old = {"$or": [{"search.form": {"$ne": SEARCH_FORM}}, {"$expr": {"$ne": ["$search.version", "$version"]}}]}
    while True:
        query = {"_id": {"$gt": after}, **is_old}
        found: Sequence[Document] = await concerts.find(query).sort("_id", ASCENDING).limit(batch).to_list(batch)
        if not found:
            return written
        await concerts.bulk_write([update_of(document) for document in found], ordered=False)
        written, after = written + len(found), found[-1]["_id"]


def update_of(document: Document) -> UpdateOne:
    """Return the update that writes the search fields of a document. It does nothing if the concert
    has changed in the meantime.
    """
    version = document["version"]
    artist = (document.get("details") or {}).get("artist")
    fields = search_fields(document["name"], artist, Venue(**document["venue"]), version=version)
    return UpdateOne({"_id": document["_id"], "version": version}, {"$set": {"search": fields}})
