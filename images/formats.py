"""Recognizes the format of a file by its first bytes, whatever its name or Content-Type says."""

from domain.images.uploads import UploadProblem, UploadRefused

_READABLE = 1_024
"""How many bytes are searched for the root element of an SVG file."""
_OTHERS = (
    (b"GIF8", "GIF image"),
    (b"%PDF", "PDF document"),
    (b"BM", "BMP image"),
    (b"II*\0", "TIFF image"),
    (b"MM\0*", "TIFF image"),
    (b"\0\0\x01\0", "Windows icon"),
    (b"8BPS", "Photoshop document"),
    (b"PK\x03\x04", "ZIP archive"),
)
_BRANDS = {
    b"heic": "HEIC image",
    b"heix": "HEIC image",
    b"mif1": "HEIF image",
    b"avif": "AVIF image",
    b"avis": "AVIF image",
}


def require_supported_format(content: bytes) -> None:
    """Raise UploadRefused unless the bytes begin like a JPEG, PNG or WebP file."""
    if not content:
        raise UploadRefused(UploadProblem.EMPTY)
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if is_webp or content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return
    raise UploadRefused(UploadProblem.UNSUPPORTED_FORMAT, format_=_name(content))


def _name(content: bytes) -> str | None:
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "video or an image in a video container")
    if b"<svg" in content[:_READABLE].lower():
        return "drawing in SVG, which can contain scripts"
    return next((name for start, name in _OTHERS if content.startswith(start)), None)
