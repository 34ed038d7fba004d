"""Download links: for one document and five minutes, and only as this server has signed them."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import OrderId, PersonId, TicketId
from tickets.documents.links import LASTS, MAX_CHARACTERS, BadLink, DownloadLink, DownloadLinks, LinkProblem
from tickets.keys import TicketKeys

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
NOW = datetime(2026, 11, 20, 23, 58, tzinfo=UTC)
LINK = DownloadLink(OrderId("0" * 32), TicketId("1" * 32), PersonId("alice"), "2" * 64, NOW + LASTS)
LINKS = DownloadLinks(TicketKeys([OLD]))


def problem_of(text: str, now: datetime = NOW, links: DownloadLinks = LINKS) -> LinkProblem:
    with pytest.raises(BadLink) as refused:
        links.read(text, now)
    return refused.value.problem


def test_link_is_read_as_it_was_signed() -> None:
    for link in (LINK, replace(LINK, ticket_id=None)):
        assert LINKS.read(LINKS.sign(link), NOW) == link


def test_link_lasts_five_minutes_even_across_midnight() -> None:
    text = LINKS.sign(LINK)

    assert timedelta(minutes=5) == LASTS
    assert LINKS.read(text, LINK.expires_at - timedelta(seconds=1)) == LINK
    assert problem_of(text, LINK.expires_at) is LinkProblem.EXPIRED


def test_link_with_any_character_changed_counts_as_altered() -> None:
    text = LINKS.sign(LINK)
    changed = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(len(text))]

    assert {problem_of(one) for one in changed} == {LinkProblem.ALTERED}


@pytest.mark.parametrize(
    "fields",
    [
        ["0" * 32, None, "alice", "2" * 64, 2**40],
        ["0" * 32, None, "alice", "2" * 64, 10**400],
        ["0" * 32, None, "alice", "2" * 64, float("inf")],
        ["0" * 32, None, "alice", "2" * 64, None],
        ["0" * 32],
        {"a": 1},
        "text",
        None,
    ],
    ids=ascii,
)
def test_unsigned_link_counts_as_altered(fields: object) -> None:
    signed = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    own_signature = LINKS.sign(LINK).partition(".")[2]

    assert [problem_of(f"{signed}.{signature}") for signature in ("", "é", own_signature)] == [LinkProblem.ALTERED] * 3


@pytest.mark.parametrize("text", ["", ".", "..", "A", "é.é", "\x00.\x00", "[" * 1_000, "A" * (MAX_CHARACTERS + 1)])
def test_text_that_is_not_a_link_counts_as_altered(text: str) -> None:
    assert problem_of(text) is LinkProblem.ALTERED


def test_links_of_an_old_master_key_work_until_it_is_removed() -> None:
    text = LINKS.sign(LINK)

    assert DownloadLinks(TicketKeys([NEW, OLD])).read(text, NOW) == LINK
    assert problem_of(text, links=DownloadLinks(TicketKeys([NEW]))) is LinkProblem.ALTERED


def test_key_of_a_link_changes_every_day() -> None:
    signatures = {LINKS.sign(replace(LINK, expires_at=NOW + timedelta(days=day))).partition(".")[2] for day in range(3)}
    assert len(signatures) == 3
    assert TicketKeys([OLD]).secrets_for(b"a") != TicketKeys([OLD]).secrets_for(b"b")


def test_link_does_not_reveal_its_person_in_logs() -> None:
    assert "alice" not in repr(LINK)
