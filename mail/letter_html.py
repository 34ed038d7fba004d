"""The HTML alternative of a letter: the same paragraphs, with nothing loaded from elsewhere.

All text is escaped, and only our own addresses, which the letter lists, are links.
"""

import re
from html import escape

from mail.letters import Letter

_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{subject}</title>
</head>
<body style="margin: 0; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif">
<div style="max-width: 36rem; margin: 0 auto">
{paragraphs}
</div>
</body>
</html>
"""
_PARAGRAPH = '<p dir="auto" style="margin: 0 0 1rem; overflow-wrap: anywhere">{text}</p>'


def write_html(letter: Letter) -> str:
    paragraphs = (_PARAGRAPH.format(text=_linked(text, letter.links)) for text in letter.paragraphs)
    return _PAGE.format(lang=letter.locale.value, subject=escape(letter.subject), paragraphs="\n".join(paragraphs))


def _linked(text: str, links: tuple[str, ...]) -> str:
    """Return the text as HTML, in which these addresses are links."""
    # One address may be the beginning of another one.
    pattern = "|".join(re.escape(link) for link in sorted(links, key=len, reverse=True))
    parts = re.split(f"({pattern})", text) if pattern else [text]
    html = "".join(f'<a href="{escape(part)}">{escape(part)}</a>' if part in links else escape(part) for part in parts)
    return html.replace("\n", "<br>\n")
