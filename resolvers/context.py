"""What every resolver is handed: the stores, who asks, and the id that ties logs and answers together."""

from dataclasses import dataclass, field

from auth.passes import PassSigner
from auth.viewer import Viewer
from domain.errors import Unauthenticated
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores


@dataclass(frozen=True, slots=True)
class Context:
    stores: Stores
    passes: PassSigner
    viewer: Viewer | None
    request_id: str
    address: str | None = None
    """Of the client, as far as the server can tell."""
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)

    def signed_in(self) -> Viewer:
        """Raises Unauthenticated for an anonymous caller."""
        if self.viewer is None:
            raise Unauthenticated("Sign in first: send `Authorization: Bearer <access token>`.")
        return self.viewer


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process opens once, for every request and every socket."""

    stores: Stores
    passes: PassSigner
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)

    def context(self, viewer: Viewer | None, request_id: str, address: str | None = None) -> Context:
        return Context(self.stores, self.passes, viewer, request_id, address, self.wait_tables)
