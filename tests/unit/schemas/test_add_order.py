"""Names and values → the order that is asked for (addorder.md 1 and 3)."""

import base64
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

import phpserialize
import pytest

from schemas.add_order import parse, unknown_names
from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import AddonAsked, AddonLine, DomainRenewal, Item, OptionAsked, OrderRequest, Renewal
from schemas.rejections import Rejected
from schemas.wire import FORM, JSON, PHP, decode

GOOGLE = "YToxOntpOjE7czo2OiJHb29nbGUiO30="  # a:1:{i:1;s:6:"Google";}


def asked(body: str) -> OrderRequest:
    return parse(decode(f"clientid=1&{body}".encode(), FORM))


def asked_in_json(body: str) -> OrderRequest:
    return parse(decode(body.encode(), JSON))


def refused(body: str) -> list[tuple[str, str]]:
    with pytest.raises(Rejected) as refusal:
        asked(body)
    return [(fault.code, fault.message) for fault in refusal.value.faults]


def test_arrays_are_paired_by_key_and_items_come_in_the_order_of_their_keys() -> None:
    order = asked("pid[2]=5&pid[0]=1&billingcycle[0]=annually&billingcycle[2]=monthly&domain[2]=b.com")

    assert order.items == (
        Item(key=0, product_id=1, billing_cycle=BillingCycle.ANNUALLY),
        Item(key=2, product_id=5, billing_cycle=BillingCycle.MONTHLY, domain="b.com"),
    )


def test_scalars_are_item_0_when_the_order_has_a_single_item() -> None:
    order = asked(f"pid=1&domain=a.com&domaintype=Register&regperiod=1&addons=1,3,9&customfields={GOOGLE}")

    assert order.items == (
        Item(
            key=0,
            product_id=1,
            domain="a.com",
            domain_type=DomainType.REGISTER,
            years=1,
            addons=(AddonAsked(1), AddonAsked(3), AddonAsked(9)),
            custom_fields={"1": "Google"},
        ),
    )


def test_a_scalar_beside_item_0_of_an_array_belongs_to_it() -> None:
    assert asked("pid[0]=1&billingcycle=monthly").items[0].billing_cycle is BillingCycle.MONTHLY


@pytest.mark.parametrize(
    "body",
    ["pid[0]=7&pid[1]=7&qty=2", "pid[1]=7&qty=2", "qty=2&pid=1,1,5", "addonids[1]=5&serviceids[1]=19&addonidsqty=2"],
)
def test_a_scalar_that_could_be_any_items_is_refused(body: str) -> None:
    assert refused(body)[0][0] == "array_expected"


def test_a_repeated_bare_name_is_the_array_that_was_meant() -> None:
    assert [item.product_id for item in asked("pid=1&pid=5").items] == [1, 5]


def test_a_comma_is_just_a_comma_in_a_transfer_code() -> None:
    assert asked("domain=a.com&domaintype=transfer&eppcode=a,b").items[0].epp_code == "a,b"


def test_an_empty_text_is_absent_for_every_parameter() -> None:
    names = ("promocode", "contactid", "noinvoice", "clientip", "pid[0]", "domaintype[0]", "priceoverride[0]", "addons")

    assert asked("&".join(f"{name}=" for name in names)) == OrderRequest(client_id=1)


def test_white_space_only_is_absent_too_but_not_of_notes_or_secrets() -> None:
    order = asked(
        "promocode=+&paymentmethod=%09&affid=+&noinvoice=%0A&notes=+&pid=7&rootpw=+&domain=%C2%A0&addons=+&customfields=+"
    )

    assert order == OrderRequest(client_id=1, notes=" ", items=(Item(key=0, product_id=7, root_password=" "),))


def test_names_of_domains_to_renew_have_no_outer_white_space() -> None:
    assert asked("domainrenewals[+a.com]=1").domain_renewals == (DomainRenewal("a.com", 1),)
    assert refused("domainrenewals[a.com]=1&domainrenewals[+a.com]=2") == [
        ("parameter_repeated", "Parameter 'domainrenewals[a.com]' given more than once")
    ]


def test_white_space_around_a_map_and_its_keys_and_in_options_is_nothing() -> None:
    item = asked(f"pid=1&customfields=%0A{GOOGLE}%0A&configoptions[0][+1]=%20999&configoptions[0][2]=+").items[0]

    assert item.custom_fields == {"1": "Google"}
    assert item.config_options == {"1": OptionAsked("999")}
    assert asked(f"pid=1&configoptions={packed({' 1': ' 999 ', '2': ' '})}").items[0].config_options == {
        "1": OptionAsked("999")
    }


@pytest.mark.parametrize("nothing", ["Tjs=", "czowOiIiOw==", "YjowOw==", "bnVsbA=="])  # N; s:0:""; b:0; null
@pytest.mark.parametrize("name", ["customfields", "configoptions", "domainfields"])
def test_a_map_of_nothing_is_a_map_with_nothing_in_it(name: str, nothing: str) -> None:
    assert asked(f"pid=1&{name}={nothing}").items == (Item(key=0, product_id=1),)


def test_a_key_of_a_map_that_is_given_twice_is_refused() -> None:
    assert refused("pid=1&domainfields[0][a]=1&domainfields[0][+a]=2") == [
        ("serialized_invalid", "domainfields[0]: a key is given twice")
    ]


def packed(values: dict[str, str]) -> str:
    return quote_plus(base64.b64encode(phpserialize.dumps(values)))


def test_zero_is_a_value() -> None:
    assert asked("pid=0&priceoverride=0&domainpriceoverride=0.00").items == (
        Item(key=0, product_id=0, price_override=Decimal("0.00"), domain_price_override=Decimal("0.00")),
    )


@pytest.mark.parametrize("written", ["0", "0.00", "000"])
def test_a_period_of_0_years_is_absent_with_a_domain_type_too(written: str) -> None:
    assert asked(f"domain=a.com&domaintype=register&regperiod={written}").items[0].years is None
    assert asked("domainrenewals[a.com]=0").domain_renewals == (DomainRenewal("a.com", 0),)


@pytest.mark.parametrize("written", ["7", "7.00", "7.0", "0007", " 7", "7\n"])
def test_whole_numbers_arrive_in_several_spellings(written: str) -> None:
    assert asked(f"pid={quote_plus(written)}").items[0].product_id == 7


@pytest.mark.parametrize("written", ["7.5", "-7", "+7", "7e0", "1_0", "\u0667", "0x7", "9223372036854775808", "true"])
def test_what_is_no_whole_number_is_refused(written: str) -> None:
    assert refused(f"affid={written.replace('+', '%2B')}") == [
        ("number_invalid", "affid: must be a whole number such as 7")
    ]


@pytest.mark.parametrize(
    ("written", "amount"), [("5", "5.00"), ("5.5", "5.50"), ("9999999999999.99", "9999999999999.99")]
)
def test_amounts_are_decimals_from_their_text(written: str, amount: str) -> None:
    assert str(asked(f"pid=1&priceoverride={written}").items[0].price_override) == amount


@pytest.mark.parametrize(
    "written", ["-1", "5.001", "NaN", "Infinity", "1e3", "5.", ".5", "10000000000000", "$5", "1e1000000"]
)
def test_what_is_no_amount_is_refused(written: str) -> None:
    assert refused(f"pid[0]=1&priceoverride[0]={written}")[0][0] == "amount_invalid"


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        *(("19.99", "19.99"), ("5", "5.00"), ("5.0", "5.00")),
        *((written, "amount_invalid") for written in ("19.989999999999998", "5.000", "1e2", "1.0E+2", "-5.5")),
    ],
)
def test_a_number_is_the_same_amount_or_none_in_each_encoding(written: str, answer: str) -> None:
    bodies = {
        FORM: f"clientid=1&pid=1&priceoverride={quote_plus(written)}",
        JSON: f'{{"clientid": 1, "pid": 1, "priceoverride": {written.replace("1.0E", "1.0e")}}}',
        PHP: f'a:3:{{s:8:"clientid";i:1;s:3:"pid";i:1;s:13:"priceoverride";d:{written.replace("1e2", "1E2")};}}',
    }

    assert {amount_of(body, content_type) for content_type, body in bodies.items()} == {answer}


def amount_of(body: str, content_type: str) -> str:
    try:
        return str(parse(decode(body.encode(), content_type)).items[0].price_override)
    except Rejected as rejected:
        return rejected.faults[0].code


@pytest.mark.parametrize("written", ["19.989999999999998", "5.001", "5.000"])
def test_an_amount_with_more_decimals_says_how_to_send_it(written: str) -> None:
    assert refused(f"pid=1&priceoverride={written}") == [
        ("amount_invalid", 'priceoverride[0]: must have at most two decimals: send a float rounded, as text: "19.99"')
    ]


@pytest.mark.parametrize("written", ["true", "ON", "Yes", "1"])
def test_words_for_true(written: str) -> None:
    assert asked(f"noinvoice={written}").no_invoice


@pytest.mark.parametrize("written", ["False", "off", "NO", "0", ""])
def test_words_for_false(written: str) -> None:
    assert not asked(f"noinvoice={written}").no_invoice


def test_any_other_word_is_no_boolean() -> None:
    assert refused("noinvoice=2")[0][0] == "boolean_invalid"


@pytest.mark.parametrize(
    ("spelling", "cycle"),
    [
        ("Monthly", BillingCycle.MONTHLY),
        ("one time", BillingCycle.ONETIME),
        ("One-Time", BillingCycle.ONETIME),
        ("free account", BillingCycle.FREE),
        ("semi-annually", BillingCycle.SEMIANNUALLY),
        ("semiannual", BillingCycle.SEMIANNUALLY),
        ("annual", BillingCycle.ANNUALLY),
        ("biennial", BillingCycle.BIENNIALLY),
        ("TRIENNIAL", BillingCycle.TRIENNIALLY),
    ],
)
def test_cycles_have_aliases_in_any_case(spelling: str, cycle: BillingCycle) -> None:
    assert asked(f"pid=1&billingcycle={spelling}").items[0].billing_cycle is cycle


def test_old_names_of_nameservers_are_known_but_not_beside_the_new_ones() -> None:
    assert asked("ns1=a.net&ns2=b.net").nameservers == ("a.net", "b.net")
    assert refused("ns1=a.net&nameserver1=b.net")[0][0] == "parameter_repeated"


def test_addons_and_their_quantities_pair_by_position_and_empty_members_are_skipped() -> None:
    assert asked("pid=1&addons=1,,3,&%24addonsqty=2,,4").items[0].addons == (AddonAsked(1, 2), AddonAsked(3, 4))
    assert asked("pid=1&addons=1,3&addonsqty=,4").items[0].addons == (AddonAsked(1, 1), AddonAsked(3, 4))


def test_empty_members_behind_the_last_quantity_are_skipped() -> None:
    assert asked("pid=1&addons=1&addonsqty=2,,").items[0].addons == (AddonAsked(1, 2),)


@pytest.mark.parametrize("lists", ["addons=1,3&addonsqty=2", "addons=1,,3,&addonsqty=2,1", "addons=1,3&addonsqty=2,,"])
def test_empty_members_are_skipped_where_the_lists_differ_in_length(lists: str) -> None:
    assert asked(f"pid=1&{lists}").items[0].addons == (AddonAsked(1, 2), AddonAsked(3, 1))


@pytest.mark.parametrize("lists", ["addons=1&addonsqty=2,3", "addons=1,,3&addonsqty=2,5,4", "addonsqty=2"])
def test_a_quantity_beside_no_addon_is_refused(lists: str) -> None:
    assert refused(f"pid=1&{lists}")[0][0] == "quantity_not_allowed"


def test_addon_0_is_an_id_like_any_other() -> None:
    assert asked("pid=1&addons=0,1&addonsqty=2").items[0].addons == (AddonAsked(0, 2), AddonAsked(1, 1))


@pytest.mark.parametrize("option", ["[optionid]=16", "[optionid]=16&configoptions[0][700][qty]="])
def test_a_choice_without_a_number_is_that_choice_once_and_never_its_id_for_a_number(option: str) -> None:
    item = asked(f"pid=1&configoptions[0][700]{option}").items[0]

    assert item.config_options == {"700": OptionAsked("16", 1)}


@pytest.mark.parametrize("option", ["[qty]=5", "[optionid]=&configoptions[0][700][qty]=5"])
def test_a_number_of_no_choice_is_refused(option: str) -> None:
    assert refused(f"pid=1&configoptions[0][700]{option}")[0][0] == "serialized_invalid"


@pytest.mark.parametrize("extra", ["regperiod=0", "dnsmanagement[0]=0", "eppcode[3]=x", "domainpriceoverride=5"])
def test_what_is_about_a_domain_only_makes_no_item(extra: str) -> None:
    assert asked(f"addonid=1&serviceid=19&{extra}").items == ()


def test_a_scalar_about_domains_beside_several_items_that_order_none_is_ignored() -> None:
    assert [item.years for item in asked("pid[]=1&pid[]=7&regperiod=1").items] == [1, None]
    assert refused("pid[]=1&pid[]=7&domaintype[0]=register&regperiod=0")[0][0] == "array_expected"


@pytest.mark.parametrize("lone", ["billingcycle=monthly", "domain=a.com", "priceoverride=1", "qty[3]=1"])
def test_anything_else_makes_an_item_even_if_it_is_nothing(lone: str) -> None:
    assert len(asked(lone).items) == 1


def test_both_forms_of_addon_only_lines_count() -> None:
    order = asked(
        "addonid=1&serviceid=19&addonids[0]=3&serviceids[0]=20&addonids[1]=9&serviceids[1]=20&addonidsqty[1]=2"
    )

    assert order.addon_lines == (
        AddonLine(1, 19, 1, "addonid", None),
        AddonLine(3, 20, 1, "addonids", 0),
        AddonLine(9, 20, 2, "addonids", 1),
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("addonid=1", "serviceid"),
        ("serviceid=1", "addonid"),
        ("addonids[0]=1", "serviceids[0]"),
        ("serviceids[3]=1", "addonids[3]"),
    ],
)
def test_half_an_addon_line_names_its_other_half(body: str, place: str) -> None:
    assert refused(body) == [("parameter_missing", f"{place}: required")]


def test_domain_renewals_map_names_to_years() -> None:
    assert asked("domainrenewals[a.com]=1&domainrenewals[b.com]=2").domain_renewals == (
        DomainRenewal("a.com", 1),
        DomainRenewal("b.com", 2),
    )
    assert refused("domainrenewals=a.com")[0][0] == "array_expected"


def test_lists_of_renewals_come_in_the_order_of_their_keys() -> None:
    assert asked("servicerenewals[1]=4&servicerenewals[0]=3&addonrenewals=9").service_renewals == (
        Renewal(3, 0),
        Renewal(4, 1),
    )


def test_a_plain_json_object_beside_a_scalar_product_is_its_map() -> None:
    order = asked_in_json('{"clientid": 1, "pid": 1, "customfields": {"1": "Google"}, "configoptions": {"1": 999}}')

    assert order.items[0].custom_fields == {"1": "Google"}
    assert order.items[0].config_options == {"1": OptionAsked("999")}


def test_json_arrays_hold_a_map_an_item() -> None:
    order = asked_in_json('{"clientid": 1, "pid": [1, 5], "configoptions": [null, {"3": {"optionid": 30, "qty": 4}}]}')

    assert order.items[1].config_options == {"3": OptionAsked("30", 4)}


def test_extras_that_are_off_are_not_asked_for() -> None:
    order = asked("domain=a.com&domaintype=register&dnsmanagement=on&idprotection=0")

    assert order.items[0].extras == {Extra.DNS_MANAGEMENT}


@pytest.mark.parametrize(("written", "address"), [("192.0.2.7", "192.0.2.7"), ("2001:DB8::1", "2001:db8::1")])
def test_addresses_are_v4_or_v6(written: str, address: str) -> None:
    assert asked(f"clientip={written}").client_ip == address


@pytest.mark.parametrize("written", ["192.0.2", "192.0.2.256", "fe80::1%25eth0", "example.com", "192.0.2.0/24"])
def test_what_is_no_address_is_refused(written: str) -> None:
    assert refused(f"clientip={written}")[0][0] == "ip_invalid"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("clientid=2", ("parameter_repeated", "Parameter 'clientid' given more than once")),
        ("pid[0]=1&pid[0]=2", ("parameter_repeated", "Parameter 'pid[0]' given more than once")),
        ("pid=2&pid[0]=1", ("parameter_repeated", "Parameter 'pid' given more than once")),
        ("promocode[0]=x", ("value_expected", "promocode: must be one value, not an array")),
        ("pid[0][1]=2", ("value_expected", "pid[0]: must be one value, not an array")),
        ("pid[a]=1", ("item_key_invalid", "pid: its keys must be item numbers, as in pid[0]")),
        ("pid=1,1,5", ("array_expected", "Expecting parameter 'pid' to be an array")),
        ("qty[1]=0", ("quantity_not_allowed", "qty[1]: must be 1 or more")),
        ("domaintype=renew", ("domain_type_invalid", "domaintype[0]: must be register or transfer")),
        ("responsetype=yaml", ("responsetype_invalid", "responsetype: must be json, xml or nvp")),
        (f"notes={'x' * 65_536}", ("text_too_long", "notes: must be at most 65535 characters")),
        (
            "domainrenewals[a.com]=one",
            (
                "number_invalid",
                "domainrenewals[a.com]: must be a number of years, as in domainrenewals[example.com] = 1",
            ),
        ),
    ],
)
def test_a_fault_of_shape_names_its_place_and_the_mend(body: str, fault: tuple[str, str]) -> None:
    assert refused(body) == [fault]


@pytest.mark.parametrize(
    ("written", "quantities"),
    [
        ('"qty[0]": "2"', {0: 2}),
        ('"QTY[0]": 2', {0: 2}),
        ('"qty[]": 2', {0: 2}),
        ('"qty": {"0": 2}, "qty[1]": 3', {0: 2, 1: 3}),
        ('"qty[1]": 3, "qty": [2]', {0: 2, 1: 3}),
        ('"qty": [2], "qty[]": 3', {0: 2, 1: 3}),
    ],
)
def test_a_name_in_brackets_is_an_element_in_json_too(written: str, quantities: dict[int, int]) -> None:
    order = asked_in_json(f'{{"clientid": 1, "pid": {{"0": 7, "1": 7}}, {written}}}')

    assert {item.key: item.quantity for item in order.items if item.quantity} == quantities


def test_a_map_in_brackets_is_that_items_map() -> None:
    order = asked_in_json('{"clientid": 1, "pid": [1, 5], "customfields[1]": {"1": "Google"}, "addons[]": "1,3"}')

    assert order.items[0].addons == (AddonAsked(1), AddonAsked(3))
    assert order.items[1].custom_fields == {"1": "Google"}


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ('"qty": 2, "qty[0]": 2', "qty"),
        ('"qty[0]": 2, "qty": 2', "qty"),
        ('"qty": [2], "qty[0]": 2', "qty[0]"),
        ('"qty[0]": 2, "QTY[0]": 3', "qty[0]"),
        ('"qty": [2], "QTY": [3]', "qty"),
        ('"domainrenewals": {"a.com": 1}, "domainrenewals[a.com]": 2', "domainrenewals[a.com]"),
    ],
)
def test_what_contradicts_itself_is_repeated_and_nothing_is_chosen(written: str, place: str) -> None:
    with pytest.raises(Rejected) as refusal:
        asked_in_json(f'{{"clientid": 1, "pid": 7, {written}}}')

    assert [fault.message for fault in refusal.value.faults] == [f"Parameter '{place}' given more than once"]


@pytest.mark.parametrize(
    "body",
    [
        "clientid=1&amp;pid=7&amp;paymentmethod=paypal",
        "clientid=1&pid=7&amp;qty[0]=2",
        "clientid=1&AMP;Password=x",
        "clientid=1&amp;%24addonsqty=2",
        "clientid=1&amp;amp;pid=7",
        "clientid=1&#38;pid=7",
        "clientid=1&#038;pid=7",
        "clientid=1&#x26;pid=7",
    ],
)
def test_a_form_whose_separators_were_written_for_html_is_refused_and_never_half_read(body: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse(decode(body.encode(), FORM))

    assert [fault.code for fault in refusal.value.faults] == ["malformed"]
    assert "separated by &amp; as in HTML" in str(refusal.value)


@pytest.mark.parametrize("notes", ["R%26amp;D", "R&amp;D", "a&amp;=b", "a&amp", "a&amp;pidgin=7", "&amp;%20pid=7x"])
def test_a_value_or_another_name_with_amp_in_it_is_nothing_of_the_sort(notes: str) -> None:
    assert asked(f"pid=7&notes={notes}").items == (Item(key=0, product_id=7),)


def refused_in_json(body: str) -> list[tuple[str, str]]:
    with pytest.raises(Rejected) as refusal:
        asked_in_json(f'{{"clientid": 1, {body}}}')
    return [(fault.code, fault.message) for fault in refusal.value.faults]


@pytest.mark.parametrize("name", ["customfields", "configoptions"])
@pytest.mark.parametrize(
    "rest",
    [
        '"pid": [1], "%s": {"1": "Google"}',
        '"pid": [1], "%s": {"1": {"optionid": 30, "qty": 4}}',
        '"pid": 1, "%s": [{"1": "a"}, {"2": "b"}]',
        '"pid": 1, "%s": {"2": "a"}, "%s[1]": "b"',
    ],
)
def test_a_map_that_names_an_item_that_is_none_says_what_was_meant(name: str, rest: str) -> None:
    assert refused_in_json(rest.replace("%s", name)) == [
        ("item_key_invalid", f'{name}[1]: there is no item 1: the map of item 0 is {name}[0] = {{"1": …}}')
    ]


def test_the_first_item_that_is_there_is_named() -> None:
    assert refused("pid[3]=1&customfields[0][1]=Google") == [
        ("item_key_invalid", 'customfields[0]: there is no item 0: the map of item 3 is customfields[3] = {"1": …}')
    ]


@pytest.mark.parametrize(
    "rest", ['"pid": 1, "addons": [1, 3]', '"pid": [1], "addons": ["1", "3"]', '"pid": 1, "addons": {"1": 2}']
)
def test_a_list_of_addons_beside_one_item_is_blamed_itself_and_says_how_to_send_it(rest: str) -> None:
    assert refused_in_json(rest) == [
        ("value_expected", 'addons[1]: there is no item 1: the ids of item 0 are one text, as in addons[0] = "1,3"')
    ]


def test_quantities_of_addons_are_one_text_too() -> None:
    assert refused("pid=1&addons=1,3&addonsqty[]=2&addonsqty[]=1") == [
        (
            "value_expected",
            'addonsqty[1]: there is no item 1: the numbers of item 0 are one text, as in addonsqty[0] = "1,3"',
        )
    ]


@pytest.mark.parametrize(
    "body",
    [
        '"pid": [1, 5], "addons": [1, 3], "customfields": [{"1": "a"}, {"2": "b"}]',
        '"pid": [1, 5], "addons": {"1": "1,3"}',
        '"domain": ["a.com", "b.com"], "domaintype": ["register", "register"], "domainfields": {"1": {"0": "x"}}',
    ],
)
def test_lists_and_maps_of_items_that_are_there_are_theirs(body: str) -> None:
    assert [item.key for item in asked_in_json(f'{{"clientid": 1, {body}}}').items] == [0, 1]


def test_products_in_one_text_are_blamed_before_what_is_beside_them() -> None:
    assert refused("pid=1,5&addons[0]=1&addons[1]=3") == [
        ("array_expected", "Expecting parameter 'pid' to be an array")
    ]


@pytest.mark.parametrize("text", ["Google", "Google!", "999", "base64_encode(serialize(array()))", '{"1": "Google"}'])
def test_a_text_that_is_no_map_says_what_a_map_is(text: str) -> None:
    assert refused(f"pid[0]=1&pid[1]=5&customfields[1]={quote_plus(text)}") == [
        (
            "serialized_invalid",
            "customfields[1]: must be a map, or base64 of one: of a PHP-serialized array or a JSON object",
        )
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            '"pid": [1], "customfields": {"Site": "x"}',
            ("item_key_invalid", 'customfields: its keys must be item numbers, as in customfields[0] = {"1": …}'),
        ),
        ('"pid": {"a": 1}', ("item_key_invalid", "pid: its keys must be item numbers, as in pid[0]")),
        ('"qty": {"a": 1}', ("item_key_invalid", "qty: its keys must be item numbers, as in qty[0]")),
        (
            '"pid": [1], "addons": [[1, 3]]',
            ("value_expected", 'addons[0]: must be one text, such as "1,3", not an array'),
        ),
        ('"pid": [[1]]', ("value_expected", "pid[0]: must be one value, not an array")),
        (
            '"domainrenewals": ["a.com"]',
            ("number_invalid", "domainrenewals[0]: must be a number of years, as in domainrenewals[example.com] = 1"),
        ),
        (
            '"domainrenewals": {"a.com": [1]}',
            (
                "number_invalid",
                "domainrenewals[a.com]: must be a number of years, as in domainrenewals[example.com] = 1",
            ),
        ),
    ],
)
def test_a_sentence_tells_how_it_is_sent(body: str, fault: tuple[str, str]) -> None:
    assert refused_in_json(body) == [fault]


def test_all_faults_of_shape_come_back_together_in_the_order_of_the_documentation() -> None:
    assert [code for code, _ in refused("noemail=nope&affid=first&pid[1]=x&pid[0]=y&clientip=here")] == [
        "number_invalid",
        "number_invalid",
        "number_invalid",
        "boolean_invalid",
        "ip_invalid",
    ]


def test_a_missing_half_and_a_wrong_type_come_back_together() -> None:
    assert refused("contactid=x&addonid=6&addonids[2]=y") == [
        ("number_invalid", "contactid: must be a whole number such as 7"),
        ("parameter_missing", "serviceid: required"),
        ("number_invalid", "addonids[2]: must be a whole number such as 7"),
        ("parameter_missing", "serviceids[2]: required"),
    ]


def test_a_missing_client_is_a_fault_of_shape() -> None:
    with pytest.raises(Rejected, match="clientid: required"):
        parse(decode(b"pid=1", FORM))


def test_a_thousand_elements_are_enough() -> None:
    assert refused("&".join(f"pid[{key}]=7" for key in range(1_001)))[0][0] == "too_many_items"


def test_a_secret_is_never_in_the_words_of_a_fault() -> None:
    messages: Any = refused(f"pid=1&rootpw={'hunter2' * 50}&customfields=hunter2&eppcode[0][1]=hunter2")

    assert "hunter2" not in str(messages)


def test_names_that_nothing_knows_are_told_for_the_log() -> None:
    assert unknown_names(decode(b"clientid=1&limitstart=0&password=x&zzz=1", FORM)) == ["limitstart", "zzz"]
