"""Where an environment and the shop's own settings disagree."""

from schemas.shop_settings import Given, Tax
from worker.shop_settings import overruled


def test_only_what_both_say_can_disagree() -> None:
    shop: Given = {"tax": Tax.INCLUSIVE, "nameservers": (), "timezone": "UTC"}

    assert list(overruled({}, shop)) == []
    assert list(overruled({"tax": Tax.INCLUSIVE, "invoice_grace_days": 5}, shop)) == []
    tax, nameservers = overruled({"tax": Tax.EXCLUSIVE, "nameservers": ("a.b", "c.d")}, shop)
    assert tax == (
        "ORDERS_TAX is exclusive, and the shop's own setting `tax` is inclusive: the shop's counts for all workers; "
        "unset ORDERS_TAX, or change `settings` with `orders catalog load`"
    )
    assert nameservers.startswith("ORDERS_NAMESERVERS is a.b,c.d, and the shop's own setting `nameservers` is none: ")
