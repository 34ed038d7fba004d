"""Tiers as they are stored in the document of their concert."""

from domain.concerts import Tier
from domain.ids import TierId
from domain.tiers.rules import TierRules
from storage.mongo.client import Document


def tier_document(tier: Tier) -> Document:
    rules = tier.rules
    return {
        "id": tier.id,
        "name": tier.name,
        "priceMinor": tier.price_minor,
        "capacity": tier.capacity,
        "top": tier.top,
        "description": tier.description,
        "zone": tier.zone,
        "salesStartAt": rules.sales_start_at,
        "salesEndAt": rules.sales_end_at,
        "minPerOrder": rules.min_per_order,
        "maxPerOrder": rules.max_per_order,
        "isHidden": rules.is_hidden,
        "isWithdrawn": rules.is_withdrawn,
    }


def read_tier(document: Document, to_withdraw: int) -> Tier:
    """Return the tier. In documents from earlier versions of Onsale, tiers have neither texts nor
    rules.
    """
    return Tier(
        TierId(document["id"]),
        document["name"],
        document["priceMinor"],
        capacity=document["capacity"],
        top=document["top"],
        to_withdraw=to_withdraw,
        description=document.get("description", ""),
        zone=document.get("zone", ""),
        rules=TierRules(
            sales_start_at=document.get("salesStartAt"),
            sales_end_at=document.get("salesEndAt"),
            min_per_order=document.get("minPerOrder", 1),
            max_per_order=document.get("maxPerOrder"),
            is_hidden=document.get("isHidden", False),
            is_withdrawn=document.get("isWithdrawn", False),
        ),
    )
