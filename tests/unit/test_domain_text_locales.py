"""The language of a buyer's mail is chosen from any language tag, and stored with the order."""

from dataclasses import replace

import pytest

from domain.orders import Customer
from domain.text.locales import Locale, choose_locale, locale_problems
from storage.mongo.order_documents import order_document, order_from_document
from tests.support.payment_orders import pending_order


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("de", Locale.DE),
        ("de-AT", Locale.DE),
        ("DE_ch", Locale.DE),
        ("en-GB", Locale.EN),
        ("fr", Locale.EN),
        ("", Locale.EN),
        (None, Locale.EN),
        ("deutsch", Locale.EN),
    ],
)
def test_a_language_tag_gives_german_or_english(tag: str | None, locale: Locale) -> None:
    assert choose_locale(tag) is locale


def test_a_tag_that_is_too_long_is_a_problem() -> None:
    problems = [problem.message for problem in locale_problems("locale", "x" * 36)]
    assert problems == ["has 36 characters; at most 35 are allowed"]
    assert list(locale_problems("locale", None)) == []


def test_an_order_keeps_the_language_of_its_buyer() -> None:
    order = replace(pending_order("one", 1), customer=Customer("Ada", "ada@example.org", Locale.DE))
    assert order_from_document(order_document(order)) == order


def test_an_order_of_an_earlier_version_is_in_english() -> None:
    document = order_document(pending_order("one", 1))
    del document["locale"]
    assert order_from_document(document).customer.locale is Locale.EN
