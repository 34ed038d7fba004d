"""Decodes an uploaded image with Pillow: upright, in sRGB and without metadata, after checking its
size before any pixel is decoded. Runs only in its own process (images/convert_process.py).
"""

import io
import warnings

from PIL import Image, ImageCms, ImageFile, ImageOps

from domain.images.uploads import MAX_HEIGHT_PER_WIDTH, MAX_PIXELS, MAX_SIDE, WIDTHS, UploadProblem, UploadRefused

_FORMATS = ("JPEG", "PNG", "WEBP")
_LONGEST_KEPT = max(WIDTHS) * MAX_HEIGHT_PER_WIDTH


def decode(content: bytes) -> Image.Image:
    """Return the image as RGB, or as RGBA if it has transparent parts. Raises UploadRefused.

    An image that is larger than all of its sizes is scaled down during decoding.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                _require_still_and_small(image)
                return _normalized(image)
    except UploadRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UploadRefused(UploadProblem.TOO_MANY_PIXELS) from None
    except MemoryError:
        raise UploadRefused(UploadProblem.TOO_EXPENSIVE) from None
    except Exception as error:
        # Pillow's decoders raise many kinds of errors for damaged files.
        raise UploadRefused(UploadProblem.DAMAGED) from error


def _require_still_and_small(image: ImageFile.ImageFile) -> None:
    if max(image.size) > MAX_SIDE or image.width * image.height > MAX_PIXELS:
        raise UploadRefused(UploadProblem.TOO_MANY_PIXELS)
    # A JPEG with several pictures (MPO) is a photograph with a preview; its first one is shown.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise UploadRefused(UploadProblem.ANIMATED)


def _normalized(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(_shrunk(image))
    shown = _in_srgb(upright, profile)
    shown.info.clear()
    return shown


def _shrunk(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # 16 bits of gray per pixel; `convert` would clip them instead of scaling them.
        image = _keeping_info(image, image.convert("I").point(lambda value: value * (1 / 257)).convert("L"))
    elif image.mode in ("1", "P", "PA") or "transparency" in image.info:
        image = _keeping_info(image, image.convert(_target_mode(image)))
    image.thumbnail((_LONGEST_KEPT, _LONGEST_KEPT))
    return image


def _keeping_info(source: Image.Image, converted: Image.Image) -> Image.Image:
    """Return the converted image with the metadata that says how to rotate it."""
    converted.info = {key: value for key, value in source.info.items() if key in ("exif", "xmp", "icc_profile")}
    return converted


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Return the image in the color space that browsers assume for a file without a profile."""
    mode = _target_mode(image)
    if isinstance(profile, bytes):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            # Like browsers, ignore a profile that is damaged or describes other channels.
            return image.convert(mode)
        assert converted is not None
        return converted
    return image.convert(mode)


def _target_mode(image: Image.Image) -> str:
    return "RGBA" if image.has_transparency_data else "RGB"
