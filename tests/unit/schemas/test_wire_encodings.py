"""The same request is the same order, however it is written down (addorder.md 1)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas import add_order, wire
from schemas.order import OrderRequest
from tests.encodings import as_form, as_json, as_php

# What a parameter may hold, as a caller thinks of it. Text is without surrogates and U+0000, which no encoding takes.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
ids = st.integers(1, 10_000)
amounts = st.decimals(min_value=0, max_value=10_000, places=2).map(str)
booleans = st.booleans()
words = {
    "billingcycle": st.sampled_from(["monthly", "Annually", "one time"]),
    "domaintype": st.sampled_from(["register", "transfer"]),
}
field_maps = st.dictionaries(ids.map(str), texts, min_size=1, max_size=3)
option_maps = st.dictionaries(
    ids.map(str), st.one_of(ids, st.fixed_dictionaries({"optionid": ids, "qty": st.integers(1, 9)})), min_size=1
)
OF_ITEMS: dict[str, st.SearchStrategy[Any]] = {
    **words,
    "pid": ids,
    "qty": st.integers(1, 99),
    "domain": texts,
    "eppcode": texts,
    "priceoverride": amounts,
    "addons": st.lists(ids, min_size=1, max_size=3).map(lambda members: ",".join(map(str, members))),
    "idprotection": booleans,
    "customfields": field_maps,
    "configoptions": option_maps,
}
MANY_IN_ONE = {"addons", "customfields", "configoptions"}  # they name no item that nothing else names
OF_THE_ORDER: dict[str, st.SearchStrategy[Any]] = {
    "paymentmethod": texts,
    "promocode": texts,
    "notes": texts,
    "noinvoice": booleans,
    "affid": ids,
    "addonid": ids,
    "clientip": st.ip_addresses().map(str),
}


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(st.integers(0, 30), unique=True, max_size=4))
    request: dict[str, Any] = {"clientid": draw(ids)}
    for name, values in OF_THE_ORDER.items():
        if draw(booleans):
            request[name] = draw(values)
    if "addonid" in request:
        request["serviceid"] = draw(ids)
    named: set[int] = set()
    for name, values in sorted(OF_ITEMS.items(), key=lambda one: one[0] in MANY_IN_ONE):
        chosen = [key for key in keys if draw(booleans) and (name not in MANY_IN_ONE or not named or key in named)]
        if name not in MANY_IN_ONE | {"eppcode", "idprotection"}:
            named.update(chosen)
        if chosen:
            request[name] = {key: draw(values) for key in chosen}
    return request


def read(body: bytes, content_type: str) -> OrderRequest:
    return add_order.parse(wire.decode(body, content_type))


@given(requests())
def test_a_request_is_the_same_order_in_each_of_the_encodings(request: dict[str, Any]) -> None:
    order = read(as_json(request), wire.JSON)

    assert read(as_form(request), wire.FORM) == order
    assert read(as_php(request), wire.PHP) == order


@given(requests(), st.randoms(use_true_random=False))
def test_the_order_in_which_parameters_come_means_nothing(request: dict[str, Any], random: Any) -> None:
    names = list(request)
    random.shuffle(names)
    shuffled = {
        name: dict(sorted(request[name].items(), reverse=True)) if isinstance(request[name], dict) else request[name]
        for name in names
    }

    assert read(as_form(shuffled), wire.FORM) == read(as_form(request), wire.FORM)


@given(requests())
def test_all_that_was_written_is_in_the_order(request: dict[str, Any]) -> None:
    order = read(as_json(request), wire.JSON)

    # What is about a domain only makes no item.
    making = request.keys() - {"eppcode", "idprotection"}
    keys = {key for name in making if isinstance(request[name], dict) for key in request[name]}
    assert [item.key for item in order.items] == sorted(keys)
    assert {item.key: item.product_id for item in order.items if item.product_id} == request.get("pid", {})
    domains = {key: name.strip() for key, name in request.get("domain", {}).items()}
    assert {item.key: item.domain for item in order.items if item.domain} == {
        key: name for key, name in domains.items() if name
    }
    assert {item.key: str(item.price_override) for item in order.items if item.price_override is not None} == (
        request.get("priceoverride", {})
    )
    assert {item.key: dict(item.custom_fields) for item in order.items if item.custom_fields} == (
        request.get("customfields", {})
    )


# Whose values are kept to the byte, and those of custom fields until it is known that they are no password.
KEPT = {"eppcode", "notes", "customfields"}
white = st.text(st.sampled_from(" \t\r\n\u00a0\u2003\u3000"), max_size=3)


@given(requests(), white, white)
def test_outer_white_space_of_values_changes_nothing(request: dict[str, Any], before: str, after: str) -> None:
    def padded(value: Any) -> Any:
        return (
            {key: padded(one) for key, one in value.items()} if isinstance(value, dict) else f"{before}{value}{after}"
        )

    with_white_space = {name: value if name in KEPT else padded(value) for name, value in request.items()}
    order = read(as_json(request), wire.JSON)

    assert read(as_json(with_white_space), wire.JSON) == order
    assert read(as_form(with_white_space), wire.FORM) == order
    assert read(as_php(with_white_space), wire.PHP) == order


@given(requests(), st.sampled_from([wire.JSON, wire.FORM, wire.PHP]))
def test_what_was_read_can_be_written_down_again(request: dict[str, Any], media: str) -> None:
    tree = wire.decode(as_form(request), wire.FORM)

    assert wire.decode(wire.encode(tree, media), media) == tree


@given(field_maps)
def test_a_map_can_be_serialized_again(texts_by_key: dict[str, str]) -> None:
    assert wire.unserialize_value(wire.serialize_value(texts_by_key)) == texts_by_key
