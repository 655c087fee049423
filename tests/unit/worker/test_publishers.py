"""Who is trusted without credentials, what they may ask, and whose keys they have: as the settings say it."""

import pytest

from worker.publishers import Actions, in_words, names, trusted
from worker.settings import Settings, SettingsError

TRUSTED = "ORDERS_TRUSTED_PUBLISHERS"
CALLERS = "ORDERS_CALLERS"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("storefront", {"storefront": frozenset({"addorder"})}),
        ("storefront, operator=*", {"storefront": frozenset({"addorder"}), "operator": None}),
        ("pos=AddOrder + addinvoicepayment", {"pos": frozenset({"addorder", "addinvoicepayment"})}),
        ("till=acceptorder", {"till": frozenset({"acceptorder"})}),
        ("shop+eu@example.com", {"shop+eu@example.com": frozenset({"addorder"})}),
        ("", {}),
    ],
)
def test_a_name_may_order_and_more_is_named(written: str, expected: dict[str, Actions]) -> None:
    assert dict(Settings.read({TRUSTED: written}).trusted_publishers) == expected


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("operator=", "operator= makes no sense: write shop (may order), shop=* (may ask everything) or"),
        ("=addorder", "=addorder makes no sense: write shop"),
        ("operator:*", "operator:* makes no sense: write shop"),
        ("operator *", "operator * makes no sense: write shop"),
        ("operator=*+addorder", "operator=*+addorder makes no sense: * is everything by itself, operator=*"),
        ("operator=addorder=*", "operator=addorder=* makes no sense: write shop"),
        ("shop=add order", "shop=add order: there is no action add order; did you mean addorder?"),
        ("shop=addordr", "shop=addordr: there is no action addordr; did you mean addorder?"),
        ("shop=addorder+", "shop=addorder+ makes no sense: write shop"),
        ("shop,shop=*", "shop is there twice: write all that they may ask in one place, shop=addorder+…"),
    ],
)
def test_a_misspelt_right_is_refused_with_the_fix(written: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({TRUSTED: written})

    assert str(error.value).startswith(f"{TRUSTED}: {sentence}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("storefront:shop", {"storefront": "caller:shop"}),
        ("storefront:caller:shop, pos:credential:7", {"storefront": "caller:shop", "pos": "credential:7"}),
        ("pos:publisher:storefront", {"pos": "publisher:storefront"}),
    ],
)
def test_a_publisher_may_be_given_a_callers_name(written: str, expected: dict[str, str]) -> None:
    assert dict(Settings.read({TRUSTED: "storefront,pos", CALLERS: written}).callers) == expected


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("storefront", "storefront makes no sense: write storefront:shop"),
        (":shop", ":shop makes no sense: write storefront:shop"),
        ("storefrnt:shop", "storefrnt is not one of ORDERS_TRUSTED_PUBLISHERS: did you mean storefront?"),
        ("nobody:shop", "nobody is not one of ORDERS_TRUSTED_PUBLISHERS: add it there"),
        ("storefront:shop,storefront:other", "storefront is there twice: a publisher is one caller"),
        ("storefront:the shop", "storefront:the shop names no caller: a name has letters, digits"),
        ("storefront:credential:x", "storefront:credential:x names no caller"),
        ("storefront:double:7:x", "storefront:double:7:x names no caller"),
    ],
)
def test_a_misspelt_caller_is_refused_with_the_fix(written: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({TRUSTED: "storefront,pos", CALLERS: written})

    assert str(error.value).startswith(f"{CALLERS}: {sentence}")


def test_where_publishers_cannot_be_read_callers_are_not_blamed() -> None:
    with pytest.raises(SettingsError) as error:
        Settings.read({TRUSTED: "storefront=", CALLERS: "storefront:shop"})

    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [TRUSTED]


def test_rights_are_told_in_words() -> None:
    assert [in_words(actions) for actions in trusted(["a=*", "b=x+addorder"]).values()] == ["everything", "addorder, x"]
    assert names([], {}) == {}
