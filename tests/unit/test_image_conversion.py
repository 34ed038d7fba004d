"""Uploaded images become small WebP files without metadata; bad files are refused."""

import json
import sys

import pytest
from PIL import Image, ImageCms

from domain.images.uploads import MAX_PIXELS, UploadProblem, UploadRefused
from images.convert_process import convert
from images.converter import ImageConverter
from images.decoding import decode
from images.encoding import encode_sizes
from images.formats import require_supported_format
from tests.support.image_files import SVG, chunks_of, encode, photo, png_header, read

PLAIN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
"""The chunks of pixels; a WebP file may also have ICCP, EXIF, XMP and animation chunks."""
ORIENTATION = 0x0112


def sizes_of(content: bytes) -> list[tuple[int, int]]:
    return [(size.width, size.height) for size in encode_sizes(decode(content))]


def refused(content: bytes) -> UploadProblem:
    require_supported_format(content)
    with pytest.raises(UploadRefused) as caught:
        decode(content)
    return caught.value.problem


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((1700, 900), [(320, 169), (800, 424), (1600, 847)]),
        ((900, 600), [(320, 213), (800, 533), (900, 600)]),
        ((320, 200), [(320, 200)]),
        ((1, 1), [(1, 1)]),
        ((500, 2000), [(160, 640), (400, 1600), (500, 2000)]),
        ((4000, 1), [(320, 1), (800, 1), (1600, 1)]),
    ],
)
def test_image_is_scaled_down_and_never_up(size: tuple[int, int], made: list[tuple[int, int]]) -> None:
    assert sizes_of(encode(Image.new("RGB", size))) == made


def test_each_size_is_a_still_webp_of_the_stated_size() -> None:
    for size in encode_sizes(decode(photo())):
        image = read(size.content)
        assert (image.format, image.size, getattr(image, "n_frames", 1)) == ("WEBP", (size.width, size.height), 1)


def test_rotation_is_applied_and_all_metadata_is_dropped() -> None:
    image = Image.new("RGB", (60, 40), "red")
    image.paste("blue", (0, 0, 30, 40))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x8298] = "Copyright Ann"
    gps = exif.get_ifd(0x8825)
    gps[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encode(image, "JPEG", quality=95, exif=exif, icc_profile=profile, comment=b"taken at home")

    (size,) = encode_sizes(decode(content))

    made = read(size.content)
    assert made.size == (40, 60)
    top, bottom = (made.convert("RGB").getpixel((20, y)) for y in (5, 55))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[2] > 200 > bottom[2]
    assert set(chunks_of(size.content)) <= PLAIN
    assert b"Ann" not in size.content


def test_transparent_parts_stay_transparent() -> None:
    image = Image.new("RGBA", (50, 50), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 25, 50))
    for content in (encode(image), encode(image.quantize()), encode(image, "WEBP", lossless=True)):
        (size,) = encode_sizes(decode(content))
        alpha = read(size.content).getchannel("A")
        assert (alpha.getpixel((5, 25)), alpha.getpixel((45, 25))) == (0, 255)


@pytest.mark.parametrize(("mode", "color"), [("RGB", (255, 0, 0)), ("L", 7)])
def test_transparent_color_stays_transparent_beside_a_profile(mode: str, color: tuple[int, ...] | int) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = decode(encode(Image.new(mode, (20, 10), color), transparency=color, icc_profile=profile))
    assert image.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "I;16", "CMYK"])
def test_every_pixel_format_is_read(mode: str) -> None:
    content = encode(Image.new(mode, (20, 10), None), "JPEG" if mode == "CMYK" else "PNG")
    assert decode(content).mode == ("RGBA" if mode == "LA" else "RGB")


def test_sixteen_bit_gray_is_scaled() -> None:
    gray = Image.new("I;16", (4, 4), 32_768)
    assert decode(encode(gray)).getpixel((1, 1)) in [(127, 127, 127), (128, 128, 128)]


def test_colors_are_converted_from_the_profile_of_the_image() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"?").replace(b"bXYZ", b"rXYZ").replace(b"?", b"bXYZ")
    assert decode(encode(Image.new("RGB", (4, 4), "red"), icc_profile=swapped)).getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("space", ["LAB", None])
def test_unusable_profile_is_ignored(space: str | None) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes() if space else b"broken"
    assert decode(encode(Image.new("RGB", (4, 4), "red"), icc_profile=profile)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(30_000, 10), (10, 30_000), (9_000, 9_000), (2_000_000_000, 2_000_000_000)])
def test_image_with_too_many_pixels_is_refused_before_decoding(size: tuple[int, int]) -> None:
    assert refused(png_header(*size)) is UploadProblem.TOO_MANY_PIXELS


def test_decoder_uses_our_pixel_limit() -> None:
    decode(photo(10, 10))
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_animated_image_is_refused(format_: str) -> None:
    frames = [Image.new("RGB", (10, 10), color) for color in ("red", "blue")]
    content = encode(frames[0], format_, save_all=True, append_images=frames[1:], duration=100)
    assert refused(content) is UploadProblem.ANIMATED


@pytest.mark.parametrize(
    "content",
    [photo()[:-400], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" + bytes(100), b"RIFF\0\0\0\0WEBP", png_header(50, 50)],
)
def test_damaged_image_is_refused(content: bytes) -> None:
    assert refused(content) is UploadProblem.DAMAGED


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (SVG, "drawing in SVG, which can contain scripts"),
        (b"<svg onload='alert(1)'/>", "drawing in SVG, which can contain scripts"),
        (encode(Image.new("P", (4, 4)), "GIF"), "GIF image"),
        (encode(Image.new("RGB", (4, 4)), "BMP"), "BMP image"),
        (encode(Image.new("RGB", (4, 4)), "TIFF"), "TIFF image"),
        (b"\0\0\0\x18ftypheic", "HEIC image"),
        (b"%PDF-1.7", "PDF document"),
    ],
)
def test_other_formats_are_refused_by_their_first_bytes(content: bytes, named: str) -> None:
    with pytest.raises(UploadRefused) as caught:
        require_supported_format(content)
    assert caught.value.problem is UploadProblem.UNSUPPORTED_FORMAT
    assert str(caught.value) == f"The file is a {named}, not a JPEG, PNG or WebP image."


def test_unknown_and_empty_files_are_refused() -> None:
    for content, problem in ((b"", UploadProblem.EMPTY), (b"hello", UploadProblem.UNSUPPORTED_FORMAT)):
        with pytest.raises(UploadRefused) as caught:
            require_supported_format(content)
        assert caught.value.problem is problem


def test_same_bytes_give_the_same_files() -> None:
    content = photo()
    assert encode_sizes(decode(content)) == encode_sizes(decode(content))


def test_answer_of_the_process_lists_the_files_or_names_the_problem() -> None:
    head, _, files = convert(photo(400, 300)).partition(b"\n")
    assert [(size["width"], size["height"]) for size in json.loads(head)["sizes"]] == [(320, 240), (400, 300)]
    assert sum(size["bytes"] for size in json.loads(head)["sizes"]) == len(files)
    assert json.loads(convert(png_header(20_000, 5))) == {"problem": "TOO_MANY_PIXELS"}


async def test_process_converts_an_image_and_ends() -> None:
    sizes = await ImageConverter().convert(photo(400, 300))
    assert [(size.width, size.height) for size in sizes] == [(320, 240), (400, 300)]
    assert read(sizes[0].content).size == (320, 240)


async def test_process_refuses_what_cannot_be_decoded() -> None:
    with pytest.raises(UploadRefused) as caught:
        await ImageConverter().convert(png_header(20_000, 5))
    assert caught.value.problem is UploadProblem.TOO_MANY_PIXELS


@pytest.mark.parametrize("program", ["import time; time.sleep(600)", "import os; os.abort()", "raise SystemExit(1)"])
async def test_process_that_hangs_or_dies_costs_only_its_image(program: str) -> None:
    converter = ImageConverter(command=(sys.executable, "-c", program), within_s=0.5)
    with pytest.raises(UploadRefused) as caught:
        await converter.convert(photo(10, 10))
    assert caught.value.problem is UploadProblem.TOO_EXPENSIVE
