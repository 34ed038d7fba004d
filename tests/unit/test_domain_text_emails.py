"""Email addresses are refused with a reason, or trimmed, normalized and stored."""

import pytest

from domain.orders import Customer
from domain.text.cleaning import clean_customer
from domain.text.email_addresses import clean_email, email_problems
from domain.validation import customer_problems


def messages(address: str) -> list[str]:
    return [problem.message for problem in email_problems("customerEmail", address)]


@pytest.mark.parametrize(
    "address",
    [
        *(f"ali{mark}ce@example.org" for mark in "\u202c\u200f\u200b\u2066\ufeff\u00ad\u200d\u2060"),
        *(f"alice@exam{mark}ple.org" for mark in "\u202c\u200f\u200b\u2066\ufeff\u00ad\u200d\u2060\ufe0f\u034f"),
        *(f"ali{mark}ce@b.de" for mark in "\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe0f\uffa0\U0001d173\U000e0100"),
        *("م\u200cم@b.de", "❤\ufe0f@b.de", "葛\U000e0100@b.de"),
        f"{'ü' * 33}@b.de",
        "a<b>@c.de",
        "a,b@c.de",
        "a@-b.de",
        "a@b-.de",
        f"{'a' * 65}@b.de",
        "Ada <ada@example.org>",
        "ada@example.org, bob@example.org",
        "ada@example.org\nbcc: all@example.org",
        "a..b@c.de",
        ".a@c.de",
        "a@c..de",
        "a@localhost",
        "a@[127.0.0.1]",
        '"a b"@c.de',
        "a@b",
        "@b.de",
        "a@",
        "",
        " ",
        f"a@{'b' * 64}.de",
    ],
    ids=ascii,
)
def test_undeliverable_address_is_refused(address: str) -> None:
    (message,) = messages(address)
    assert message
    assert [p.path for p in customer_problems(Customer("Ada", address))] == ["customerEmail"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("ada@example.org", "ada@example.org"),
        ("  ada@example.org \u00a0", "ada@example.org"),
        ("Ada.Lovelace+tickets@EXAMPLE.org", "Ada.Lovelace+tickets@example.org"),
        ("u\u0308@exa\u0308mple.org", "ü@exämple.org"),
        ("o'brien@example.co.uk", "o'brien@example.co.uk"),
        ("alice@onsale.example", "alice@onsale.example"),
        (f"{'a' * 64}@b.de", f"{'a' * 64}@b.de"),
        (f"{'ü' * 32}@b.de", f"{'ü' * 32}@b.de"),
    ],
)
def test_address_is_trimmed_and_normalized(sent: str, stored: str) -> None:
    assert messages(sent) == []
    assert clean_email(sent) == stored
    assert clean_customer(Customer(" Ada ", sent)) == Customer("Ada", stored)


def test_refusal_gives_the_reason_and_the_expected_form() -> None:
    assert messages("a,b@c.de") == [
        "is not an email address: the email address contains invalid characters before the @-sign: ',';"
        " use the form name@example.org"
    ]
    assert messages(f"{'ü' * 33}@b.de") == [
        "is not an email address: the part before the @-sign has 66 bytes in UTF-8; at most 64 are allowed"
    ]
