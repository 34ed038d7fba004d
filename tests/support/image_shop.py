"""A shop with uploads and media files, served with the middleware of the product."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import Receive, Scope, Send

from auth.callers import Callers
from auth.public_site import Site
from auth.viewer import Role
from domain.images.image import RenderedSize
from domain.limits.rates import Rate
from images.decoding import decode
from images.encoding import encode_sizes
from images.formats import require_supported_format
from tests.support.browser_sessions import BrowserOf
from tests.support.shop import Shop
from web.images import media, uploads
from web.middleware import RequestMiddleware

SITE = "http://onsale.example"


class ConvertInProcess:
    """Converts as the product does, without the cost of a process for each image."""

    async def convert(self, content: bytes) -> tuple[RenderedSize, ...]:
        require_supported_format(content)
        return encode_sizes(decode(content))


@dataclass
class ImageShop:
    shop: Shop
    converter: uploads.Converter = field(default_factory=ConvertInProcess)
    rate: Rate | None = None
    bytes_per_person: int = 10_000_000
    body_within_s: float = 60

    def app(self) -> Any:
        stores = self.shop.stores
        state = {
            "image_uploads": uploads.ImageUploads(
                stores,
                Callers(self.shop.verifier, site=Site(SITE), sessions=BrowserOf("olivia", Role.ORGANIZER)),
                self.converter,
                rate=self.rate,
                bytes_per_person=self.bytes_per_person,
                site_url=SITE,
                body_within_s=self.body_within_s,
            ),
            "media_files": media.MediaFiles(stores.images.read_file, stores.detached_tasks),
        }
        app = Starlette(routes=[*uploads.routes, *media.routes], middleware=[Middleware(RequestMiddleware)])

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        return with_state

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app()), base_url=SITE)

    async def upload(
        self,
        content: bytes,
        *,
        by: str | None = "olivia",
        type_: str | None = "image/jpeg",
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        given = {"Content-Type": type_} if type_ else {}
        async with self.client() as client:
            return await client.post(
                "/uploads", content=content, headers=given | self.shop.headers(by) | {**(headers or {})}
            )

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> httpx2.Response:
        async with self.client() as client:
            return await client.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
