"""Rules that were amended after the product had them, or that it had not at all.

Shops and requests stay clear of what is not in the set that they are made with, and nothing of it is compared.
"""

from enum import StrEnum, auto


class Amended(StrEnum):
    ADDONS_RETIRED = auto()  # 5.4
    ADDONS_PRORATA = auto()  # 5.8
    SERVICES_NOT_EXTENDABLE = auto()  # 5.4
    NO_RENEWAL_PRICE = auto()  # 5.6: a TLD that is not renewed at all has no recurring amount
    FREE_WITH_RENEW_OVERRIDE = auto()  # 5.6: it does not make a free domain paid
    FREE_WHILE_RENEWED = auto()  # 5.6, 5.7
    LATE_DOMAINS = auto()  # 5.7
    TEN_YEARS = auto()  # 5.7
    RENEWABLE = auto()  # 5.7: an addon only with its service; nothing of an order with an Unpaid invoice
    RENEWED_AGAIN = auto()  # 5.7
    PERIOD_ENDS = auto()  # 5.8
    ACTIVE_ORDERS = auto()  # 5.9: whether a client is new is told by Active orders
    PRODUCTS_OWNED = auto()  # 5.9: by services that are Active or Suspended
    REQUIRES_EXISTING = auto()  # 5.9
    RECUR_FOR = auto()  # 5.9
    BETTER_OF = auto()  # 5.10
    GROUP_LINES = auto()  # 5.10: one of what is taxed, one of what is not
    STATES = auto()  # 5.11: without case and accents, aliases
    TAX_EXEMPT = auto()  # 5.11: deduct
    TAX_BASES = auto()  # 5.11
    INVOICE_NUMBERS = auto()  # 5.12


ALL = frozenset(Amended)
# What the product has: a rule is no longer taken out here with the change that brings it.
BUILT = ALL
