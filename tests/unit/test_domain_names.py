"""Names in both of their forms (addorder.md 5.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.domain_names import domain_name
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
