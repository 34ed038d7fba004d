"""Search in the orders of a concert: by number, or by words from the buyer's name and email
address.

Words are folded in the same way as in the search for concerts, so `mueller` does not find Müller,
but `muller` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.ids import HOUSE, OrderId, PersonId, order_ids_of_number
from domain.inputs.problems import FieldProblem, count_problem
from domain.orders import Customer, OrderStatus
from domain.text.characters import line_problems
from domain.text.search_words import MAX_QUERY, MAX_QUERY_WORDS, index_words, query_words, without_pasted


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Conditions for a list of orders. An order must meet all of them."""

    statuses: tuple[OrderStatus, ...] = ()
    """Empty for all."""
    search: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the search. Each must be the beginning of a word of an order."""
        return query_words(without_pasted(self.search))

    @property
    def number_range(self) -> tuple[OrderId, OrderId] | None:
        """Return the lowest and the highest id of orders with the number in the search, or None if
        the search is not a number.
        """
        try:
            return order_ids_of_number(without_pasted(self.search))
        except ValueError:
            return None


def order_words(person_id: PersonId, customer: Customer) -> tuple[str, ...]:
    """Return the words that find the order in a search. Orders of the house account have none."""
    return () if person_id == HOUSE else index_words(customer.name, customer.email)


def order_filter_problems(filter_: OrderFilter) -> Iterator[FieldProblem]:
    text = without_pasted(filter_.search)
    found = list(line_problems("filter.search", text, longest=MAX_QUERY, may_be_empty=True))
    if not found and len(words := query_words(text)) > MAX_QUERY_WORDS:
        message = f"has {len(words)} words; at most {MAX_QUERY_WORDS} are allowed"
        found = [count_problem("filter.search", len(words), message, highest=MAX_QUERY_WORDS)]
    yield from found
