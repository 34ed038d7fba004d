"""The process that converts one uploaded image and then exits.

It reads the uploaded bytes from its standard input until their end. It answers with a line of JSON,
`{"sizes": [{"width", "height", "bytes"}]}` followed by the files, or `{"problem"}`. Its memory and
time are limited, so a hostile file harms only this process.
"""

import json
import resource
import sys
from contextlib import suppress

from domain.images.uploads import UploadRefused
from images.decoding import decode
from images.encoding import encode_sizes

MEMORY_BYTES = 1024 * 1024 * 1024
"""The largest allowed image takes about 300 MB."""
CPU_S = 20


def convert(content: bytes) -> bytes:
    """Return the answer of the process."""
    try:
        sizes = encode_sizes(decode(content))
    except UploadRefused as refused:
        return json.dumps({"problem": refused.problem}).encode() + b"\n"
    listed = [{"width": size.width, "height": size.height, "bytes": len(size.content)} for size in sizes]
    return json.dumps({"sizes": listed}).encode() + b"\n" + b"".join(size.content for size in sizes)


def _limit_resources() -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        # The process may write no files and leave no core dump.
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, limit in limits.items():
        # Not every system lets a process limit its memory.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    _limit_resources()
    sys.stdout.buffer.write(convert(sys.stdin.buffer.read()))
