"""The rules of tiers in the hot state, as JSON that `lib/tier_rules.lua` reads."""

import json
from dataclasses import dataclass

from domain.tiers.rules import NO_RULES, TierRules
from storage.hot import replies


@dataclass(frozen=True, slots=True)
class StockRules:
    """The rules that decide who sees the stock of a tier, and whether it is for sale."""

    is_hidden: bool = False
    is_withdrawn: bool = False


def encode_rules(rules: TierRules) -> str:
    """Return the rules that are set as JSON, or an empty text if none are set."""
    if rules == NO_RULES:
        return ""
    values = {
        "opens_ms": None if rules.sales_start_at is None else int(rules.sales_start_at.timestamp() * 1000),
        "closes_ms": None if rules.sales_end_at is None else int(rules.sales_end_at.timestamp() * 1000),
        "min": rules.min_per_order if rules.min_per_order > 1 else None,
        "max": rules.max_per_order,
        "is_hidden": rules.is_hidden or None,
        "is_withdrawn": rules.is_withdrawn or None,
    }
    return json.dumps({name: value for name, value in values.items() if value is not None})


def decode_stock_rules(text: bytes | int) -> StockRules:
    if text == b"":
        return StockRules()
    rules: dict[str, object] = json.loads(replies.text(text))
    return StockRules("is_hidden" in rules, "is_withdrawn" in rules)
