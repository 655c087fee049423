"""The longest matching TLD (addorder.md 5.5)."""

import pytest

from schemas.order import DomainName
from tests.builders import a_tld
from worker.domain.domain_names import tld_of


@pytest.mark.parametrize(
    ("name", "tld"),
    [
        ("x.co.uk", ".co.uk"),
        ("x.uk", ".uk"),
        ("co.uk.com", ".com"),
        ("www.x.co.uk", ".co.uk"),
        ("x.info", None),
    ],
)
def test_the_longest_tld_of_the_catalogue_wins(name: str, tld: str | None) -> None:
    tlds = {tld: a_tld(tld) for tld in (".uk", ".co.uk", ".com")}

    found = tld_of(DomainName(name, name), tlds)

    assert (found and found.tld) == tld
