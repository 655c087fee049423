"""schemas/canonical.py: what a fingerprint is of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from schemas.canonical import FORMAT, canonical
from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import AddonAsked, AddonLine, DomainRenewal, Item, OptionAsked, OrderRequest, Renewal
from worker.key_ring import KeyRing

KEYS = KeyRing([b"a-key-of-the-tests-which-is-no-secret"])
SMALL = OrderRequest(client_id=1, payment_method="paypal", items=(Item(key=0, product_id=7),))
LARGE = OrderRequest(
    client_id=1,
    payment_method="paypal",
    items=(
        Item(
            key=0,
            product_id=7,
            quantity=2,
            domain="example.com",
            billing_cycle=BillingCycle.MONTHLY,
            domain_type=DomainType.REGISTER,
            years=2,
            custom_fields={"2": "b", "1": "Google"},
            config_options={"1": OptionAsked("3", 2)},
            price_override=Decimal("5.00"),
            addons=(AddonAsked(1), AddonAsked(3, 2)),
            extras=frozenset(Extra),
        ),
    ),
    addon_lines=(AddonLine(1, 2, 1, "addonid", None),),
    domain_renewals=(DomainRenewal("a.com", 1),),
    service_renewals=(Renewal(5, 0),),
    nameservers=("ns1.a.com",),
    promo_override=True,
    notes="n",
)


def test_the_fingerprints_of_format_2_are_these_for_ever() -> None:
    # Where this fails, a repeat from before an upgrade would be refused as another request: move FORMAT, and pin anew.
    assert FORMAT == "2"
    assert KEYS.fingerprint(SMALL).version == "2:1653f1ed"
    assert KEYS.fingerprint(SMALL).digest.hex() == "bc2a03505b9073b72bba4dbf280016e5a45e071c707ed7c7379a28c0c59946e8"
    assert KEYS.fingerprint(LARGE).digest.hex() == "a939d2a047794e4e2833d5165e73af74895a4d55804838ab4757df7cde2af5c2"


def test_a_fingerprint_of_format_1_counts_as_the_same_content() -> None:
    # As the versions before wrote it of SMALL under the same key.
    digest = bytes.fromhex("a15f64f6b03c6c4d57f125d404ed0bfeefe99fcefb821a297886c308ddcc9266")

    assert KEYS.is_same(SMALL, digest, "1:1653f1ed")


def test_what_equals_its_default_is_left_out() -> None:
    assert canonical(SMALL) == b'{"client_id":1,"items":[{"key":0,"product_id":7}],"payment_method":"paypal"}'
    assert canonical(replace(SMALL, no_email=False, notes=None, nameservers=())) == canonical(SMALL)


def test_a_field_that_is_added_moves_no_fingerprint_of_requests_without_it() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Later:
        gift_note: str | None = None
        wishes: Mapping[str, str] = field(default_factory=dict)
        payment_method: str | None = None  # and the fields stand in another order
        items: tuple[Item, ...] = ()
        client_id: int

    later = Later(client_id=1, payment_method="paypal", items=(Item(key=0, product_id=7),))

    assert canonical(later) == canonical(SMALL)
    assert canonical(replace(later, gift_note="hello")) != canonical(SMALL)


def test_a_value_of_another_type_is_other_content() -> None:
    @dataclass(frozen=True)
    class Asked:
        count: object = 0
        name: str = ""

    assert canonical(Asked(count=False)) != canonical(Asked())


def test_every_action_but_addorder_is_named() -> None:
    assert canonical(SMALL, "addorder") == canonical(SMALL)
    assert canonical(SMALL, "cancelorder") != canonical(SMALL)
    assert canonical(SMALL, "cancelorder") != canonical(SMALL, "acceptorder")


def test_the_order_of_a_maps_names_is_nothing() -> None:
    one = replace(SMALL, items=(Item(key=0, custom_fields={"1": "a", "2": "b"}),))
    other = replace(SMALL, items=(Item(key=0, custom_fields={"2": "b", "1": "a"}),))

    assert canonical(one) == canonical(other)
