"""Reads everything in both stores, so that tests can prove that a request changed nothing."""

from dataclasses import dataclass
from typing import Any

from storage.connect import Stores
from storage.mongo.client import Document

_RATE = (b"onsale2:{rate:", b"onsale2:{store}:")
"""The prefixes of keys that count attempts or belong to readiness checks. They soon expire, so only
new ones count as changes.
"""
_DUMP = """
local found = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = name
  if redis.call('TYPE', name).ok == 'hash' then
    found[#found + 1] = redis.call('HGETALL', name)
  else
    found[#found + 1] = redis.call('DUMP', name)
  end
end
return found
"""


@dataclass(frozen=True, slots=True)
class WholeStores:
    keys: dict[bytes, bytes | list[bytes]]
    """The dump of each key; for a hash, its words in sorted order, because the order may vary."""
    rates: frozenset[bytes]
    documents: dict[str, list[Document]]

    def changes_since(self, before: "WholeStores") -> set[str]:
        """Return the names of the keys and collections that differ."""
        names = self.keys.keys() | before.keys.keys()
        changed = {name.decode() for name in names if self.keys.get(name) != before.keys.get(name)}
        changed |= {name.decode() for name in self.rates - before.rates}
        return changed | {
            name
            for name in self.documents.keys() | before.documents.keys()
            if self.documents.get(name) != before.documents.get(name)
        }


async def read_whole_stores(stores: Stores) -> WholeStores:
    """Read every key and every document in stores that only this test uses."""
    reply: list[Any] = await stores.script_client.run_command("EVAL", _DUMP, "0")
    keys = dict(zip(reply[::2], reply[1::2], strict=True))
    names = sorted(await stores.mongo.list_collection_names())
    return WholeStores(
        {name: _sorted(content) for name, content in keys.items() if not name.startswith(_RATE)},
        frozenset(name for name in keys if name.startswith(_RATE)),
        {name: await stores.mongo[name].find().sort("_id").to_list(None) for name in names},
    )


def _sorted(content: bytes | list[bytes]) -> bytes | list[bytes]:
    if isinstance(content, bytes):
        return content
    return [word for pair in sorted(zip(content[::2], content[1::2], strict=True)) for word in pair]
