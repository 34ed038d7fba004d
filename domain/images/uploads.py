"""The rules for uploads of images, and their refusals, which say what to do."""

from dataclasses import dataclass
from enum import StrEnum

MAX_UPLOAD_BYTES = 5 * 1024 * 1024
"""Photographs for the web are far smaller; phones usually take photographs of 2 to 5 MB."""
MAX_SIDE = 10_000
"""Pixels."""
MAX_PIXELS = 25_000_000
"""A photograph with 24 megapixels. Decoded, an image of this size has 100 MB."""
WIDTHS = (320, 800, 1600)
"""A list of concerts, a page on a phone or a tablet, and a page on a wide or dense screen."""
MAX_HEIGHT_PER_WIDTH = 2
"""An image that is taller is made narrower, so that its files stay small."""
FORMATS = "JPEG, PNG or WebP"


class UploadProblem(StrEnum):
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    TOO_SLOW = "TOO_SLOW"
    WRONG_CONTENT_TYPE = "WRONG_CONTENT_TYPE"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    ANIMATED = "ANIMATED"
    DAMAGED = "DAMAGED"
    TOO_EXPENSIVE = "TOO_EXPENSIVE"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Refusal:
    message: str
    action: str
    """The next step."""


REFUSALS = {
    UploadProblem.EMPTY: Refusal(
        "The body is empty.", "Send the bytes of the image as the body of the request, not as a form."
    ),
    UploadProblem.TOO_LARGE: Refusal(
        f"The file has more than {MAX_UPLOAD_BYTES:,} bytes.",
        "Save the image with fewer pixels, or as a JPEG or WebP of lower quality.",
    ),
    UploadProblem.TOO_SLOW: Refusal(
        "The file did not arrive in time.", "Try again on a faster connection, or send a smaller file."
    ),
    UploadProblem.WRONG_CONTENT_TYPE: Refusal(
        "The Content-Type is not an accepted image type.",
        "Send the bytes of the image with the Content-Type image/jpeg, image/png or image/webp.",
    ),
    UploadProblem.UNSUPPORTED_FORMAT: Refusal(
        "The file is not a JPEG, PNG or WebP image.", f"Save the image as {FORMATS}, and upload that file."
    ),
    UploadProblem.TOO_MANY_PIXELS: Refusal(
        f"The image is wider or taller than {MAX_SIDE:,} pixels, or has more than {MAX_PIXELS:,} pixels.",
        f"Scale the image down; more than {max(WIDTHS)} pixels of width are never shown.",
    ),
    UploadProblem.ANIMATED: Refusal("The image is animated.", "Save one frame as a still image, and upload that."),
    UploadProblem.DAMAGED: Refusal(
        "The file cannot be read as an image; it is damaged or incomplete.",
        "Open it in an image editor, save it again, and upload the new file.",
    ),
    UploadProblem.TOO_EXPENSIVE: Refusal(
        "The image took too much time or memory to read.",
        "Save the image with fewer pixels, and upload the new file.",
    ),
    UploadProblem.QUOTA_EXCEEDED: Refusal(
        "Your images already take as much space as one person may use.",
        "Remove images from concerts that no longer need them; each is deleted a day after the last concert stops"
        " using it.",
    ),
}


class UploadRefused(Exception):
    """An upload that cannot be made into an image. `format_` names the format of the file, if
    known.
    """

    def __init__(self, problem: UploadProblem, *, format_: str | None = None) -> None:
        refusal = REFUSALS[problem]
        message = refusal.message if format_ is None else f"The file is a {format_}, not a JPEG, PNG or WebP image."
        super().__init__(message)
        self.problem = problem
        self.action = refusal.action
