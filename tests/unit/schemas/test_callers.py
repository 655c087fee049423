"""Names of callers: which there can be, and that none can be taken for another."""

import pytest

from schemas import callers


@pytest.mark.parametrize(
    ("written", "caller"),
    [
        ("shop", "caller:shop"),
        ("caller:shop", "caller:shop"),
        ("Shop-2.eu_west", "caller:Shop-2.eu_west"),
        ("credential:7", "credential:7"),
        ("publisher:storefront", "publisher:storefront"),
    ],
)
def test_a_caller_is_named_anew_or_as_it_is_already(written: str, caller: str) -> None:
    assert callers.named(written) == caller


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a b",
        "caller:",
        "credential:",
        "credential:x",
        "credential:07",
        "publisher:",
        "double:7:shop",
        "x" * 65,
        "ä",
        "-a",
        "publisher:a\nb",
        "caller:caller:shop",
    ],
)
def test_what_is_no_name_is_refused_with_the_rule(written: str) -> None:
    with pytest.raises(ValueError, match="a name has letters, digits"):
        callers.named(written)


def test_a_given_name_is_never_that_of_a_credential_or_publisher() -> None:
    given = {callers.named(name) for name in ("7", "credential", "publisher", "storefront")}

    assert given.isdisjoint({callers.of_credential(7), callers.of_publisher("storefront")})
    assert callers.credential_of("credential:7") == 7
    assert callers.credential_of("caller:7") is None
