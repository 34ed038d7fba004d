"""Settings for tickets (`ONSALE_TICKET_*`)."""

from dataclasses import dataclass
from pathlib import Path

from settings.reader import SettingsReader


@dataclass(frozen=True, slots=True)
class TicketSettings:
    key_files: tuple[Path, ...] = ()
    """Files with master keys, 32 random bytes in base64 each. The first key signs ticket codes; the
    public keys of all are published. In development without such files, a key is created in the
    data directory.
    """

    @classmethod
    def read(cls, reader: SettingsReader) -> "TicketSettings":
        if reader.optional("ENV") == "production":
            reader.require("TICKET_KEY_FILES")
        return cls(key_files=tuple(Path(path) for path in reader.words("TICKET_KEY_FILES", ())))
