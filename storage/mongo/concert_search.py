"""The folded words and city of a concert, stored beside it for searches.

A document written by an earlier version of Onsale has none, or those of an earlier name; `backfill`
writes them when a process starts.
"""

from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne

from domain.concerts import ConcertFilter, Venue
from domain.text.search_words import SEARCH_FORM, city_key, index_words, query_words
from storage.mongo.client import Collection, Document

BATCH = 500
WITHOUT_SEARCH = {"search": 0}
INDEX = [("search.words", ASCENDING)]
_LAST = "\U0010ffff"


def search_fields(name: str, venue: Venue, version: int) -> Document:
    """Return the stored words; `version` is the version of the concert that they come from."""
    return {
        "words": list(index_words(name, venue.name, venue.city)),
        "city": city_key(venue.city),
        "form": SEARCH_FORM,
        "version": version,
    }


def search_conditions(filter_: ConcertFilter) -> list[Document]:
    """Return the conditions of a filter's texts: every word must be the prefix of one of the
    concert's words. The text of a client is compared literally, and never interpreted as a pattern.
    """
    words = query_words(filter_.search or "")
    found: list[Document] = [{"search.words": {"$elemMatch": {"$gte": word, "$lt": word + _LAST}}} for word in words]
    if filter_.city and (city := city_key(filter_.city)):
        found.append({"search.city": city})
    return found


async def backfill(concerts: Collection, *, batch: int = BATCH) -> int:
    """Write the words of every concert whose words are missing or old. Return how many had none.

    Any number of processes may do this at the same time. A concert that changes in the meantime
    keeps its new words.
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
    """Return the update that writes a document's words. It does nothing if the concert has changed
    since.
    """
    version = document["version"]
    fields = search_fields(document["name"], Venue(**document["venue"]), version)
    return UpdateOne({"_id": document["_id"], "version": version}, {"$set": {"search": fields}})
