"""Names in both of their forms (addorder.md 5.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.domain_names import domain_name, existing_domain_name
from schemas.order import DomainName


@pytest.mark.parametrize(
    ("written", "ascii_form", "unicode_form"),
    [
        ("whmcs.com", "whmcs.com", "whmcs.com"),
        ("UPPER-Case.COM", "upper-case.com", "upper-case.com"),
        ("bücher.de", "xn--bcher-kva.de", "bücher.de"),
        ("BÜCHER.de", "xn--bcher-kva.de", "bücher.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de", "bücher.de"),
        ("日本語.jp", "xn--wgv71a119e.jp", "日本語.jp"),
        ("例え。jp", "xn--r8jz45g.jp", "例え.jp"),  # the full stop of a Japanese keyboard
        ("a.b.c.co.uk", "a.b.c.co.uk", "a.b.c.co.uk"),
        ("a" * 63 + ".com", "a" * 63 + ".com", "a" * 63 + ".com"),
    ],
)
def test_a_name_is_lower_cased_and_has_both_forms(written: str, ascii_form: str, unicode_form: str) -> None:
    assert domain_name(written) == DomainName(ascii_form, unicode_form)


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "localhost",
        "bücher",
        ".com",
        "two words.com",
        " whmcs.com",
        "whmcs.com\n",
        "whmcs.com.",
        "a..com",
        "-a.com",
        "a-.com",
        "ab--cd.com",
        "under_score.com",
        "*.example.com",
        "a/b.com",
        "a" * 64 + ".com",
        "ü" * 64 + ".com",
        ".".join(["a" * 49] * 5) + ".info",  # 254 characters
        "xn--zz--.com",
        "☃.com",
    ],
)
def test_what_is_no_domain_name_is_none(written: str) -> None:
    assert domain_name(written) is None


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_none(written: str) -> None:
    name = domain_name(written)

    assert name is None or domain_name(name.ascii) == name


@pytest.mark.parametrize(
    ("written", "ascii_form", "unicode_form"),
    [
        ("xn--n3h.com", "xn--n3h.com", "\u2603.com"),
        ("\u2603.com", "xn--n3h.com", "\u2603.com"),
        ("I\u2764\ufe0f.WS", "xn--i-7iq.ws", "i\u2764.ws"),
        ("\U0001f4a9.la", "xn--ls8h.la", "\U0001f4a9.la"),
        ("ab--cd.com", "ab--cd.com", "ab--cd.com"),
        ("AB--CD.\u2603.com", "ab--cd.xn--n3h.com", "ab--cd.\u2603.com"),
        ("xn--a.com", "xn--a.com", "xn--a.com"),  # Punycode of a control character
        ("xn--99999999.com", "xn--99999999.com", "xn--99999999.com"),  # Punycode of nothing
        ("bücher.de", "xn--bcher-kva.de", "bücher.de"),
        ("whmcs.com", "whmcs.com", "whmcs.com"),
    ],
)
def test_a_name_that_may_exist_has_both_forms_though_nobody_may_register_it(
    written: str, ascii_form: str, unicode_form: str
) -> None:
    assert existing_domain_name(written) == DomainName(ascii_form, unicode_form)
    assert existing_domain_name(ascii_form) == DomainName(ascii_form, unicode_form)
    assert existing_domain_name(unicode_form) == DomainName(ascii_form, unicode_form)


@pytest.mark.parametrize(
    "written",
    [
        *("", ".", "localhost", "\u2603", ".com", "two words.com", "whmcs.com.", "a..com", "-a.com", "a-.com"),
        *("under_score.com", "*.example.com", "a/b.com", "a" * 64 + ".com", "xn--zz--.com", "\u202eabc.com"),
        *("\u2603" * 60 + ".com", "\u2603." * 120 + "com", "a\0b.com"),
    ],
)
def test_what_nobody_can_hold_is_no_name_that_may_exist(written: str) -> None:
    assert existing_domain_name(written) is None


@given(st.one_of(st.text(max_size=300), st.from_regex(r"(xn--)?[a-z0-9-]{1,20}\.com", fullmatch=True)))
def test_any_text_may_exist_or_is_none(written: str) -> None:
    name = existing_domain_name(written)

    assert name is None or existing_domain_name(name.ascii) == existing_domain_name(name.unicode) == name
