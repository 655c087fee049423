"""The TLD that a domain name belongs to (addorder.md 5.5)."""

from collections.abc import Mapping

from schemas.catalog import Tld
from schemas.order import DomainName


def tld_of(name: DomainName, tlds: Mapping[str, Tld]) -> Tld | None:
    """Find the longest TLD of the catalogue that the name ends in: `.co.uk` before `.uk`."""
    dot = name.ascii.find(".")
    while dot >= 0:
        tld = tlds.get(name.ascii[dot:])
        if tld is not None:
            return tld
        dot = name.ascii.find(".", dot + 1)
    return None
