"""The mailbox page of a development installation: the sent mails, newest first.

Anyone who can open the page can read every mail, so it does not exist in production.
"""

import html
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from auth.plain_pages import plain_page
from settings import Settings
from storage.connect import Stores
from storage.mongo.mails.dev_mailbox import MailboxEntry

PATH = "/dev/mailbox"
MAX_LISTED = 100
_SHOWN = ("From", "To", "Subject", "Date", "Message-ID")
_LINK = re.compile(r"https?://[^\s<>\"]+")

_FRAME = '<iframe title="The mail as HTML" sandbox="" srcdoc="{html}"></iframe>'
# The mail in the frame has styles of its own, and inherits the policy of this page.
_STYLES = "'self' 'unsafe-inline'"
_EMPTY = "<p>No mail has been sent yet. Buy a ticket, and reload this page.</p>"


def routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes of the page; none in production."""
    if settings.is_production:
        return []
    return [
        Route(PATH, _list),
        Route(f"{PATH}/{{id}}", _show),
        Route(f"{PATH}/{{id}}/{{number:int}}", _download),
    ]


async def _list(request: Request) -> Response:
    stores: Stores = request.state.stores
    entries = await stores.dev_mailbox.list_newest(MAX_LISTED)
    items = "\n".join(_item(entry) for entry in entries)
    return _page("Mailbox", f"<ul>\n{items}\n</ul>" if items else _EMPTY)


async def _show(request: Request) -> Response:
    entry = await _entry(request)
    message = _message(entry)
    headers = "".join(
        f"<dt>{name}</dt><dd>{html.escape(str(message[name]))}</dd>" for name in _SHOWN if message[name] is not None
    )
    files = "\n".join(
        f'<li><a href="{PATH}/{entry.id}/{number}">{html.escape(name)}</a></li>'
        for number, (name, _) in enumerate(_files(message))
    )
    content = f"<dl>{headers}</dl>\n<pre class='mail'>{_linked(_body(message, 'plain'))}</pre>"
    content += f"\n<h2>Files</h2>\n<ul>{files}</ul>" if files else ""
    content += f"\n<h2>As HTML</h2>\n{_FRAME.format(html=html.escape(_body(message, 'html')))}"
    return _page(entry.subject, f'{content}\n<p><a href="{PATH}">All mails</a></p>')


async def _download(request: Request) -> Response:
    files = list(_files(_message(await _entry(request))))
    number: int = request.path_params["number"]
    if number >= len(files):
        raise HTTPException(404)
    name, part = files[number]
    content = part.get_payload(decode=True)
    quoted = re.sub(r'[^ -~]|["\\]', "_", name)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": f'attachment; filename="{quoted}"'}
    return Response(content, media_type=part.get_content_type(), headers=headers)


async def _entry(request: Request) -> MailboxEntry:
    stores: Stores = request.state.stores
    entry = await stores.dev_mailbox.get(request.path_params["id"])
    if entry is None:
        raise HTTPException(404)
    return entry


def _message(entry: MailboxEntry) -> EmailMessage:
    message = message_from_bytes(entry.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _body(message: EmailMessage, kind: str) -> str:
    """Return the text of the mail in one of its forms, or an empty text if it lacks it."""
    found = message.get_body((kind,))
    text: str = found.get_content() if found is not None else ""
    return text


def _files(message: EmailMessage) -> Iterator[tuple[str, EmailMessage]]:
    for part in message.iter_attachments():
        assert isinstance(part, EmailMessage)
        yield part.get_filename() or "file", part


def _item(entry: MailboxEntry) -> str:
    sent_at = entry.sent_at.strftime("%Y-%m-%d %H:%M:%S")
    return (
        f'<li><a href="{PATH}/{entry.id}">{html.escape(entry.subject)}</a>'
        f"<br>to {html.escape(entry.recipient)}, {sent_at} UTC</li>"
    )


def _linked(text: str) -> str:
    """Return the text as HTML with links. All URLs in it are our own."""
    found, end = [], 0
    for link in _LINK.finditer(text):
        address = html.escape(link[0])
        found += [html.escape(text[end : link.start()]), f'<a href="{address}">{address}</a>']
        end = link.end()
    return "".join(found) + html.escape(text[end:])


def _page(title: str, content: str) -> HTMLResponse:
    return plain_page(title, content, styles=_STYLES, is_wide=True)
