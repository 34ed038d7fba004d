"""Order numbers: what people read and type in place of an id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import OrderId, order_ids_of_number, order_number
from tests.support.payment_orders import pending_order

ORDER_IDS = st.text("0123456789abcdef", min_size=32, max_size=32).map(OrderId)


@given(ORDER_IDS)
def test_an_order_number_finds_the_id_it_was_made_from(order_id: OrderId) -> None:
    number = order_number(order_id)
    assert len(number) == 12
    lowest, highest = order_ids_of_number(number)
    assert lowest <= order_id <= highest
    assert lowest[:15] == highest[:15] == order_id[:15]


@pytest.mark.parametrize(
    ("order_id", "number"),
    [
        ("0" * 32, "000000000000"),
        ("f" * 32, "ZZZZZZZZZZZZ"),
        ("42439b9c81009017e3359e20c716eb58", "891SQ7410281"),
    ],
)
def test_an_order_number_never_changes(order_id: str, number: str) -> None:
    assert order_number(OrderId(order_id)) == number


def test_an_order_has_the_number_of_its_id() -> None:
    order = pending_order("a", 1)
    assert order.number == order_number(order.id)


@pytest.mark.parametrize("typed", ["891sq741o281", "891S-Q741-0281", " 89ls q74i o28l", "89ISQ74LO281"])
def test_an_order_number_is_found_as_people_type_it(typed: str) -> None:
    assert order_ids_of_number(typed) == order_ids_of_number("891SQ7410281")


@pytest.mark.parametrize("text", ["", "8914VWW1024", "891SQ7410281G", "U914VWW1024G", "8914VWW1024é", "8914_VWW1024G"])
def test_other_texts_are_not_order_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is not an order number"):
        order_ids_of_number(text)
