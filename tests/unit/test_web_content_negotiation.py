"""The Accept header determines the media type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.content_negotiation import GRAPHQL, HTML, JSON, preferred_media_type

OFFERED = (JSON, GRAPHQL, HTML)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        (" ", JSON),
        ("*/*", JSON),
        (BROWSER, HTML),
        ("text/*", HTML),
        (f"{HTML};q=0.5, {GRAPHQL};q=0.6", GRAPHQL),
        (f"{GRAPHQL} ; Q=0.9 , {JSON} ; q=0.91", JSON),
        (f"*/*, {GRAPHQL}", GRAPHQL),
        (f"*/*;q=1, {JSON};q=0", GRAPHQL),
        (f"application/*;q=0, {GRAPHQL}", GRAPHQL),
        (f"application/*;q=0, */*;q=0.1, {JSON};q=0", HTML),
        (f'{JSON}; charset="UTF-8"', JSON),
        (f"{JSON}; charset=latin-1, {GRAPHQL};q=0.1", GRAPHQL),
        (f"{JSON};q=2", None),
        (f"{JSON};q=-1", None),
        (f"{JSON};q=nan", None),
        (f"{JSON};q=", None),
        ("*/json", None),
        ("application", None),
        (",;,=", None),
    ],
)
def test_best_accepted_media_type_is_chosen(accept: str, chosen: str | None) -> None:
    assert preferred_media_type(accept, OFFERED) == chosen


@given(st.text(alphabet="*/,;=q.01 jsonaplictx+-", max_size=80))
def test_any_accept_header_selects_an_offered_media_type_or_none(accept: str) -> None:
    assert preferred_media_type(accept, OFFERED) in (*OFFERED, None)
