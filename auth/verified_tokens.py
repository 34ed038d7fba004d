"""A cache of recently verified tokens.

A repeated request with the same token costs a hash instead of an RSA check. The key is the SHA-256
of the token, so the tokens themselves are not kept. An entry is valid until its token expires or
the issuer's keys change. The least recently used entry is evicted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from auth.bearer import TokenDigest, digest_token
from auth.viewer import Viewer
from domain.limits.recently_used import RecentlyUsed

CAPACITY = 16_384
"""The maximum number of entries, about 11 MiB. Beyond it, some RSA checks are repeated."""


@dataclass(frozen=True, slots=True)
class _Entry:
    viewer: Viewer
    expires_at_s: float
    generation: int


class VerifiedTokens:
    def __init__(self, capacity: int = CAPACITY) -> None:
        self._entries: RecentlyUsed[TokenDigest, _Entry] = RecentlyUsed(capacity)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: TokenDigest, *, now_s: float, generation: int) -> Viewer | None:
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry.expires_at_s <= now_s or entry.generation != generation:
            self._entries.remove(digest)
            return None
        return entry.viewer

    def add(self, token: str, viewer: Viewer, *, expires_at_s: float, generation: int) -> None:
        self._entries.put(digest_token(token), _Entry(viewer, expires_at_s, generation))

    def remove_where(self, is_outdated: Callable[[Viewer], bool]) -> None:
        """Remove the tokens whose viewers are outdated."""
        for digest in [digest for digest, entry in self._entries if is_outdated(entry.viewer)]:
            self._entries.remove(digest)
