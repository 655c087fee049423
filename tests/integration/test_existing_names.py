"""Names that may not be registered, but that exist (docs/decisions/reading-requests.md)."""

import pytest

from tests.shop import Shop

BY_CLIENT_1 = {"clientid": 1, "paymentmethod": "paypal"}


async def test_a_domain_with_an_emoji_is_transferred_and_then_renewed_by_either_of_its_forms(shop: Shop) -> None:
    await shop.start_worker()

    transfer = {**BY_CLIENT_1, "domain": "\u2603.com", "domaintype": "transfer", "eppcode": "x"}
    transferred = await shop.ask(transfer)
    await shop.database.execute("UPDATE domains SET status = 'Active' WHERE name = 'xn--n3h.com'")
    by_ascii = await shop.publish({**BY_CLIENT_1, "domainrenewals": {"xn--n3h.com": 1}}, message_id="ascii")
    by_unicode = await shop.publish({**BY_CLIENT_1, "domainrenewals": {"\u2603.com": 1}}, message_id="unicode")

    assert transferred["result"] == "success"
    for asked in (by_ascii, by_unicode):
        events = await shop.until_events(str(asked.message_id), "order.added")
        [added] = [one for one in events if one.type == "order.added"]
        assert [(item["kind"], item["name"]) for item in added.data["items"]] == [("domain_renewal", "\u2603.com")]


@pytest.mark.parametrize("name", ["\u2603.com", "xn--n3h.com", "ab--cd.com"])
async def test_such_a_name_is_not_registered(shop: Shop, name: str) -> None:
    await shop.start_worker()

    reply = await shop.ask({**BY_CLIENT_1, "domain": name, "domaintype": "register"})

    assert reply["code"] == "domain_invalid"
