"""`POST /uploads`: an organizer sends the bytes of an image and gets the id with which a concert
can use it.

The body is the file itself, not a form. A request is made with an access token, or with the session
cookie from one of our own pages. Whatever can be refused without the body is refused before it is
read. A repeated upload is answered with the image that is already stored.
"""

import asyncio
from typing import Protocol

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from auth.callers import Callers, cache_headers
from auth.viewer import Viewer
from domain.errors import Forbidden, SessionLost, TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from domain.images.image import RenderedSize, StoredImage, image_id_of
from domain.images.uploads import MAX_UPLOAD_BYTES, UploadProblem, UploadRefused
from domain.limits.rates import Rate
from images.converter import ImageConverter
from schema.catalog.images import media_url
from settings import LimitSettings
from storage.connect import Stores
from telemetry import counters
from web import request_body
from web.http_errors import HttpError, caller_error
from web.organizers.person_limits import PersonLimits

PATH = "/uploads"
BODY_WITHIN_S = 60.0
"""The time for a whole body: a phone with a slow connection uploads 5 MB in a minute."""
MAX_CONCURRENT = 16
"""Uploads in progress per process, each with its file in memory."""
MAX_CONCURRENT_PER_PERSON = 2
RETRY_AFTER_S = 5

_STATUS = {
    UploadProblem.EMPTY: 400,
    UploadProblem.TOO_SLOW: 408,
    UploadProblem.QUOTA_EXCEEDED: 409,
    UploadProblem.TOO_LARGE: 413,
    UploadProblem.WRONG_CONTENT_TYPE: 415,
    UploadProblem.UNSUPPORTED_FORMAT: 415,
}
_UNPROCESSABLE = 422


class Converter(Protocol):
    async def convert(self, content: bytes) -> tuple[RenderedSize, ...]:
        """Raises UploadRefused or TemporarilyUnavailable."""
        ...


class ImageUploads:
    """Answers uploads. One person's images may have `bytes_per_person` in total; concurrent
    uploads, even in other processes, may exceed this by their own size.
    """

    def __init__(
        self,
        stores: Stores,
        callers: Callers,
        converter: Converter,
        *,
        rate: Rate | None,
        bytes_per_person: int,
        site_url: str,
        body_within_s: float = BODY_WITHIN_S,
    ) -> None:
        self._images = stores.images
        self._callers = callers
        self._converter = converter
        self._bytes_per_person = bytes_per_person
        self._site_url = site_url
        self._body_within_s = body_within_s
        self._limits = PersonLimits(
            "uploads",
            stores.call_counter,
            rate=rate,
            at_once=MAX_CONCURRENT,
            per_person=MAX_CONCURRENT_PER_PERSON,
            retry_after_s=RETRY_AFTER_S,
        )

    async def answer(self, request: Request) -> Response:
        """Store the image in the body. Raises HttpError and the errors of a refused caller."""
        person_id = (await self._organizer(request)).person_id
        _check_headers(request)
        await self._limits.count(person_id)
        with self._limits.slot(person_id):
            content = await self._read(request)
            image, is_new = await self._store(content, person_id)
        return JSONResponse(self._show(image), 201 if is_new else 200, cache_headers(has_credentials=True))

    def refusal(self, error: Exception) -> HttpError:
        """Return the answer for an error that `answer` raises."""
        match error:
            case HttpError():
                return error
            case UploadRefused():
                return _refused(error)
            case Unauthenticated() | SessionLost() | Forbidden() | TemporarilyUnavailable():
                return caller_error(error, cleared_cookie=self._callers.cleared_cookie())
            case _:
                raise error

    async def _organizer(self, request: Request) -> Viewer:
        # A browser sends a file from another page only after a preflight, and never with the
        # cookie.
        otherwise = "You are not signed in. Sign in as an organizer to upload images."
        viewer = await self._callers.require_caller(request.headers, otherwise=otherwise)
        if not (viewer.is_organizer or viewer.is_admin):
            raise Forbidden(
                f"Only organizers can upload images. You are signed in as {viewer.name}; sign in as an organizer."
            )
        return viewer

    async def _read(self, request: Request) -> bytes:
        declared = request.headers.get("content-length")
        try:
            async with asyncio.timeout(self._body_within_s):
                return await request_body.read_body(request.receive, declared=declared, limit=MAX_UPLOAD_BYTES)
        except TimeoutError:
            raise UploadRefused(UploadProblem.TOO_SLOW) from None
        except request_body.BodyTooLarge:
            raise UploadRefused(UploadProblem.TOO_LARGE) from None

    async def _store(self, content: bytes, person_id: PersonId) -> tuple[StoredImage, bool]:
        """Return the image of these bytes, and whether it is new."""
        image_id = image_id_of(content)
        stored = await self._images.find_needed(image_id)
        if stored is not None:
            return stored, False
        used = await self._images.count_bytes(person_id)
        if used >= self._bytes_per_person:
            raise UploadRefused(UploadProblem.QUOTA_EXCEEDED)
        sizes = await self._converter.convert(content)
        if used + sum(len(size.content) for size in sizes) > self._bytes_per_person:
            raise UploadRefused(UploadProblem.QUOTA_EXCEEDED)
        return await self._images.write(image_id, sizes, uploaded_by=person_id), True

    def _show(self, image: StoredImage) -> dict[str, object]:
        sizes = [
            {"url": media_url(self._site_url, size.media_id), "width": size.width, "height": size.height}
            for size in image.sizes
        ]
        return {"id": image.id, "sizes": sizes}


def make_image_uploads(stores: Stores, callers: Callers, limit: LimitSettings, site_url: str) -> ImageUploads:
    return ImageUploads(
        stores,
        callers,
        ImageConverter(),
        rate=Rate(*limit.uploads_per_person) if limit.uploads_per_person else None,
        bytes_per_person=limit.image_bytes_per_person,
        site_url=site_url,
    )


def _check_headers(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ("image/jpeg", "image/png", "image/webp"):
        raise UploadRefused(UploadProblem.WRONG_CONTENT_TYPE)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed; send it uncompressed.", headers={"Accept-Encoding": "identity"})


def _refused(refused: UploadRefused) -> HttpError:
    return HttpError(
        _STATUS.get(refused.problem, _UNPROCESSABLE),
        f"{refused} {refused.action}",
        details={"reason": refused.problem, "action": refused.action},
        headers={"Connection": "close"} if refused.problem is UploadProblem.TOO_SLOW else None,
    )


class _Endpoint:
    """Finds the uploads among the objects of the lifespan.

    It is a class because Starlette would treat a function as a request handler.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        request = Request(scope, body.receive)
        uploads: ImageUploads = request.state.image_uploads
        try:
            response = await uploads.answer(request)
        except request_body.ClientDisconnected:
            return
        except Exception as error:
            refused = uploads.refusal(error)
        else:
            await response(scope, receive, send)
            return
        counters.refused.labels(refused.code).inc()
        headers = {**cache_headers(has_credentials=True), **refused.headers}
        refusal = JSONResponse(refused.payload(request.state.request_id), refused.status, headers)
        if body.is_taken or "Connection" in refused.headers:
            await refusal(scope, receive, send)
        else:
            await request_body.respond_and_discard(refusal, body.receive, send)


class _Body:
    """The body of a request, which records whether the client has sent all of it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_taken = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.is_taken = not message.get("more_body", False)
        return message


# As at /graphql, cookies never count for other origins, so other origins may send access tokens.
_ANY_ORIGIN = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["POST"], allow_headers=["*"])
routes = [Route(PATH, _Endpoint(), methods=["POST", "OPTIONS"], middleware=[_ANY_ORIGIN])]
