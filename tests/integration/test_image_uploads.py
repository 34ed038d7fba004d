"""Uploads of images: who may send what, what is stored, and how media files are served."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest
import pytest_asyncio

from domain.images.image import RenderedSize, image_id_of
from domain.images.uploads import MAX_UPLOAD_BYTES
from domain.limits.rates import Rate
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.image_files import SVG, photo, png_header, read
from tests.support.image_shop import SITE, ConvertInProcess, ImageShop
from tests.support.shop import CREATE, Answer, concert_input, person_id
from tests.support.store_servers import open_shop
from tests.support.waiting import wait_until
from web.images.uploads import MAX_CONCURRENT_PER_PERSON

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    ... on UpdateConcertSuccess { concert { version image { alt sizes { url width height } } } }
    ... on DomainError { code message }
    ... on InvalidInputError { problems { path message } }
  }
}
"""
IMAGE = "query ($id: ID!) { concert(id: $id) { image { alt sizes { url width height } } } }"
COOKIE = {"Cookie": "onsale-session=anything"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def images(shared_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[ImageShop]:
    async with open_shop(shared_valkey, databases) as shop:
        yield ImageShop(shop)


async def count_stored(images: ImageShop) -> tuple[int, int, int]:
    """Return the numbers of images, files and parts."""
    names = ("images", "image_files.files", "image_files.chunks")
    counts = [await images.shop.stores.mongo[name].count_documents({}) for name in names]
    return counts[0], counts[1], counts[2]


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None]:
    extensions = answer.json()["errors"][0]["extensions"]
    return answer.status_code, extensions["code"], extensions.get("reason")


def path_of(url: str) -> str:
    return url.removeprefix(SITE)


async def test_upload_is_stored_in_sizes_that_anyone_may_read(images: ImageShop) -> None:
    content = photo(900, 600, "coral")
    answer = await images.upload(content)

    assert (answer.status_code, answer.json()["id"]) == (201, image_id_of(content))
    sizes = answer.json()["sizes"]
    assert [(size["width"], size["height"]) for size in sizes] == [(320, 213), (800, 533), (900, 600)]
    for size in sizes:
        file = await images.get(path_of(size["url"]))
        assert (file.status_code, file.headers["content-type"]) == (200, "image/webp")
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["x-content-type-options"] == "nosniff"
        assert (file.headers["access-control-allow-origin"], file.headers.get("vary")) == ("*", None)
        assert file.headers["etag"] == f'"{size["url"].rpartition("/")[2]}"'
        assert read(file.content).size == (size["width"], size["height"])


async def test_head_and_revalidation_send_no_body(images: ImageShop) -> None:
    (size, *_) = (await images.upload(photo(40, 30, "navy"))).json()["sizes"]
    path = path_of(size["url"])
    whole, head = await images.get(path), await images.get(path, method="HEAD")
    again = await images.get(path, If_None_Match=f'"other", {whole.headers["etag"]}')

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", whole.headers["etag"])


@pytest.mark.parametrize("name", ["0" * 64, "nope", "0" * 64 + "0"])
async def test_unknown_media_file_gets_a_typed_404(images: ImageShop, name: str) -> None:
    answer = await images.get(f"/media/{name}")
    assert refusal(answer) == (404, "NOT_FOUND", None)
    assert answer.headers["cache-control"] == "no-store"


async def test_same_bytes_are_stored_once(images: ImageShop) -> None:
    content = photo(50, 40, "gold")
    first = await images.upload(content)
    before = await count_stored(images)
    again, other = await images.upload(content), await images.upload(content, by="otto", type_="image/png")

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 200)
    assert first.json() == again.json() == other.json()
    assert await count_stored(images) == before


async def test_concurrent_uploads_of_the_same_bytes_are_one_image(images: ImageShop) -> None:
    content = photo(60, 40, "olive")
    before = await count_stored(images)
    answers = await asyncio.gather(*[images.upload(content, by=name) for name in ("olivia", "otto", "ada")])

    assert len({answer.text for answer in answers}) == 1
    assert [new - old for new, old in zip(await count_stored(images), before, strict=True)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("content", "type_", "refused"),
    [
        (SVG, "image/svg+xml", (415, "WRONG_CONTENT_TYPE")),
        (SVG, "image/png", (415, "UNSUPPORTED_FORMAT")),
        (b"GIF89a", "image/png", (415, "UNSUPPORTED_FORMAT")),
        (b"not an image", "image/jpeg", (415, "UNSUPPORTED_FORMAT")),
        (b"", "image/png", (400, "EMPTY")),
        (photo(), None, (415, "WRONG_CONTENT_TYPE")),
        (photo(), "multipart/form-data; boundary=x", (415, "WRONG_CONTENT_TYPE")),
        (photo(), "text/plain", (415, "WRONG_CONTENT_TYPE")),
        (png_header(30_000, 20), "image/png", (422, "TOO_MANY_PIXELS")),
        (png_header(60_000, 60_000), "image/png", (422, "TOO_MANY_PIXELS")),
        (photo()[:500], "image/jpeg", (422, "DAMAGED")),
        (photo() + bytes(MAX_UPLOAD_BYTES), "image/jpeg", (413, "TOO_LARGE")),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(value),
)
async def test_refused_upload_says_why_and_stores_nothing(
    images: ImageShop, content: bytes, type_: str | None, refused: tuple[int, str]
) -> None:
    before = await count_stored(images)
    answer = await images.upload(content, type_=type_)

    assert refusal(answer) == (refused[0], "BAD_USER_INPUT", refused[1])
    error = answer.json()["errors"][0]
    assert error["message"].endswith(error["extensions"]["action"])
    assert await count_stored(images) == before


@pytest.mark.parametrize(("by", "code"), [(None, 401), ("alice", 403), ("gus", 403), ("robot", 403)])
async def test_only_organizers_and_admins_upload(images: ImageShop, by: str | None, code: int) -> None:
    before = await count_stored(images)
    answer = await images.upload(photo(30, 20, "plum"), by=by)
    assert refusal(answer)[:2] == (code, "UNAUTHENTICATED" if code == 401 else "FORBIDDEN")
    assert await count_stored(images) == before
    assert (await images.upload(photo(30, 20, "plum"), by="ada")).status_code in (200, 201)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": SITE}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, 403),
    ],
)
async def test_cookie_counts_only_from_our_own_pages(images: ImageShop, headers: dict[str, str], status: int) -> None:
    before = await count_stored(images)
    answer = await images.upload(photo(31, 21, "tan"), by=None, headers=COOKIE | headers)
    assert answer.status_code == status
    assert (await count_stored(images) == before) is (status == 403)


async def test_page_of_another_origin_may_upload_with_a_token(images: ImageShop) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    async with images.client() as client:
        preflight = await client.options(
            "/uploads", headers=asked | {"Access-Control-Request-Headers": "authorization"}
        )
    answer = await images.upload(photo(32, 21), headers={"Origin": "https://shop.example"})
    assert (preflight.status_code, answer.status_code) == (200, 201)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_uploads_are_limited_per_person(images: ImageShop) -> None:
    limited = replace(images, rate=Rate(2, 60))
    answers = [await limited.upload(photo(33, 20 + n), by="otto") for n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert refusal(answers[2])[1] == "RATE_LIMITED"
    assert int(answers[2].headers["retry-after"]) > 0
    assert (await limited.upload(photo(33, 20), by="ada")).status_code == 200


async def test_person_cannot_store_more_than_their_share(images: ImageShop) -> None:
    used = await images.shop.stores.images.count_bytes(person_id("ada"))
    tight = replace(images, bytes_per_person=used + 10)
    before = await count_stored(images)
    assert refusal(await tight.upload(photo(34, 20), by="ada")) == (409, "BAD_USER_INPUT", "QUOTA_EXCEEDED")
    assert await count_stored(images) == before


async def test_person_uploads_a_bounded_number_of_images_at_once(images: ImageShop) -> None:
    converter = Blocked()
    busy = replace(images, converter=converter)
    app = busy.app()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=SITE) as client:
        headers = {"Content-Type": "image/jpeg", **images.shop.headers("olivia")}
        running = [
            asyncio.create_task(client.post("/uploads", content=photo(35, 20 + n), headers=headers))
            for n in range(MAX_CONCURRENT_PER_PERSON)
        ]
        await wait_until(lambda: converter.waiting == MAX_CONCURRENT_PER_PERSON)
        refused = await client.post("/uploads", content=photo(35, 50), headers=headers)
        converter.free.set()
        assert [(await answer).status_code for answer in running] == [201] * MAX_CONCURRENT_PER_PERSON
        assert refusal(refused)[:2] == (429, "RATE_LIMITED")
        assert (await client.post("/uploads", content=photo(35, 50), headers=headers)).status_code == 201


async def test_body_that_does_not_arrive_is_refused(images: ImageShop) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield photo()[:100]
        await asyncio.Event().wait()

    slow = replace(images, body_within_s=0.1)
    headers = {"Content-Type": "image/jpeg", **images.shop.headers("olivia")}
    async with slow.client() as client:
        answer = await client.post("/uploads", content=endless(), headers=headers)
    assert refusal(answer) == (408, "BAD_USER_INPUT", "TOO_SLOW")


async def test_concert_shows_its_image_after_create_and_update(images: ImageShop) -> None:
    shop = images.shop
    first, second = [(await images.upload(photo(70 + n, 50))).json() for n in range(2)]
    made = (await shop.fields(CREATE, by="olivia", input=concert_input(imageId=first["id"], imageAlt=" A red hall. ")))[
        "createConcert"
    ]["concert"]

    assert await shown(images, made["id"]) == {"alt": "A red hall.", "sizes": in_graphql(first)}

    changed = await update(images, made["id"], imageId=second["id"], imageAlt="A blue hall.")
    assert changed["concert"] == {"version": 2, "image": {"alt": "A blue hall.", "sizes": in_graphql(second)}}
    reworded = await update(images, made["id"], imageAlt="A blue hall at night.")
    assert reworded["concert"]["image"] == {"alt": "A blue hall at night.", "sizes": in_graphql(second)}
    assert (await update(images, made["id"], name="Other"))["concert"]["image"] is not None
    assert (await update(images, made["id"], removeImage=True))["concert"]["image"] is None
    assert await shown(images, made["id"]) is None


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"imageId": "0" * 64, "imageAlt": "A hall."}, "imageId"),
        ({"imageId": "nope", "imageAlt": "A hall."}, "imageId"),
        ({"imageId": "stored"}, "imageAlt"),
        ({"imageId": "stored", "imageAlt": " "}, "imageAlt"),
        ({"imageId": "stored", "imageAlt": "a" * 301}, "imageAlt"),
        ({"imageAlt": "A hall."}, "imageAlt"),
    ],
)
async def test_image_that_cannot_be_shown_is_refused(images: ImageShop, fields: dict[str, str], path: str) -> None:
    stored = (await images.upload(photo(80, 50))).json()["id"]
    given = {name: stored if value == "stored" else value for name, value in fields.items()}
    concert = await images.shop.draft()
    refused = [
        (await images.shop.fields(CREATE, by="olivia", input=concert_input(**given)))["createConcert"],
        await update(images, concert.id, **given),
    ]
    for result in refused:
        assert [problem["path"] for problem in result["problems"]] == [path]
    assert await shown(images, concert.id) is None


async def test_removing_and_replacing_an_image_at_once_is_refused(images: ImageShop) -> None:
    concert = await images.shop.draft()
    result = await update(images, concert.id, removeImage=True, imageAlt="A hall.")
    assert [problem["path"] for problem in result["problems"]] == ["removeImage"]


class Blocked(ConvertInProcess):
    """Converts nothing until it is released."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.waiting = 0

    async def convert(self, content: bytes) -> tuple[RenderedSize, ...]:
        self.waiting += 1
        await self.free.wait()
        return await super().convert(content)


def in_graphql(uploaded: Answer) -> list[dict[str, object]]:
    """Return the sizes as GraphQL shows them; the test's GraphQL server does not know its site."""
    return [size | {"url": path_of(size["url"])} for size in uploaded["sizes"]]


async def shown(images: ImageShop, concert_id: str) -> Answer:
    return (await images.shop.fields(IMAGE, by="olivia", id=concert_id))["concert"]["image"]


async def update(images: ImageShop, concert_id: str, **fields: object) -> Answer:
    input_ = {"concertId": concert_id, **fields}
    return (await images.shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
