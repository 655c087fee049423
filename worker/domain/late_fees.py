"""The fee of a domain that is renewed after its expiry (addorder.md 5.7, late domains)."""

from dataclasses import dataclass
from decimal import Decimal

from schemas import rejections
from schemas.catalog import Tld
from schemas.order import OwnedDomain
from schemas.rejections import Rejected
from worker.domain.sale import Sale

GRACE, REDEMPTION = "Grace", "Redemption"

_GRACE_DAYS = 30  # of a TLD for which nothing else is configured
_MAY_BE_LATE = frozenset({"Active", "Expired"})  # others say themselves what they are


@dataclass(frozen=True, slots=True)
class Late:
    """Once for the renewal, however many years; nothing for one that is in time."""

    phase: str
    fee: Decimal


def late_fee(domain: OwnedDomain, tld: Tld, written: str, sale: Sale) -> Late:
    """Find the fee. A grace without one costs nothing; a redemption without one is refused: it costs the shop money.

    Raises:
        Rejected: domain_not_renewable, also when the fee is set in other currencies only.
    """
    phase = _phase(domain, tld, sale)
    in_time = Late("", sale.zero)
    if not phase:
        return in_time
    configured = tld.grace if phase == GRACE else tld.redemption
    fees = configured.fee if configured else {}
    if phase == GRACE and not fees:
        return in_time
    if sale.currency.code not in fees or _is_lost(domain, tld, sale):
        raise Rejected(rejections.domain_not_renewable(written, phase))
    return Late(phase, sale.rounded(fees[sale.currency.code]))


def _phase(domain: OwnedDomain, tld: Tld, sale: Sale) -> str:
    if domain.status not in _MAY_BE_LATE:
        return domain.status
    days = _days_late(domain, sale)
    if days <= 0:
        return ""
    return GRACE if days <= _grace_days(tld) else REDEMPTION


def _is_lost(domain: OwnedDomain, tld: Tld, sale: Sale) -> bool:
    """Tell whether even the redemption is over, by the calendar."""
    days = _grace_days(tld) + (tld.redemption.days if tld.redemption else 0)
    return domain.status in _MAY_BE_LATE and _days_late(domain, sale) > days


def _days_late(domain: OwnedDomain, sale: Sale) -> int:
    return 0 if domain.expires is None else (sale.today - domain.expires).days


def _grace_days(tld: Tld) -> int:
    return _GRACE_DAYS if tld.grace is None else tld.grace.days
