"""Builds the MIME message of a letter. Its Message-ID is the same in every attempt, so programs
that compare Message-IDs show a mail that was sent twice only once.
"""

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from domain.mails.mail import Mail
from domain.text.characters import plain_line
from mail.documents import Attachment
from mail.letter_html import write_html
from mail.letters import Letter

MAX_ATTACHED_BYTES = 7_000_000
"""Base64 adds a third, and most mail servers accept 10 MB. Larger documents are left out, and the
mail says where to find them.
"""


class _Policy(EmailPolicy):
    """Keeps the Message-ID on one line. A folded one is valid, but some programs do not find it."""

    def fold(self, name: str, value: Any) -> str:
        is_id = name.lower() == "message-id"
        return f"{name}: {value}{self.linesep}" if is_id else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("utf-8" if self.utf8 else "ascii", "surrogateescape")


# All lines are ASCII, because not every mail server accepts other characters.
POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def is_attachable(files: Sequence[Attachment]) -> bool:
    return bool(files) and sum(len(file.content) for file in files) <= MAX_ATTACHED_BYTES


def build_message(
    mail: Mail, letter: Letter, files: Sequence[Attachment], *, sender: Address, recipient: Address, now: datetime
) -> EmailMessage:
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = recipient
    # A line break would split the header in two. The library refuses it, and the mail would never
    # be sent.
    message["Subject"] = plain_line(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(mail, sender)
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = letter.locale.value
    message.set_content(letter.text)
    message.add_alternative(write_html(letter), subtype="html")
    for file in files:
        main, _, sub = file.media_type.partition("/")
        message.add_attachment(file.content, maintype=main, subtype=sub, filename=plain_line(file.name))
    return message


def message_id(mail: Mail, sender: Address) -> str:
    return f"<{mail.id.replace(':', '.')}@{sender.domain}>"
