"""Orders by what they have: what a person writes, and what is kept of it."""

from schemas.domain_names import domain_name


def names_of(domain: str) -> tuple[str, ...]:
    """Tell under which names a domain may be kept: as it was written, lower-cased, in ASCII and in Unicode."""
    name = domain_name(domain)
    forms = (domain, domain.lower(), *((name.ascii, name.unicode) if name else ()))
    return tuple(dict.fromkeys(forms))
