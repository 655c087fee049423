"""Every way we say no: each with its stable code and its sentence (addorder.md 4). Why messages need a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

FAULTS_MAX = 20  # a request's faults beyond these are not listed (addorder.md 4)


# A code once published keeps its meaning. A new one is a line in CHANGELOG.md and a row of docs/addorder.md.
class Code(StrEnum):
    """What is wrong. Whoever reads codes takes one that is not listed: there will be more."""

    ADDON_INVALID = "addon_invalid"
    ADDON_NOT_OFFERED = "addon_not_offered"
    ADDON_NOT_OWNED = "addon_not_owned"
    ADDON_NOT_RENEWABLE = "addon_not_renewable"
    AMOUNT_INVALID = "amount_invalid"
    ARRAY_EXPECTED = "array_expected"
    AUTHENTICATION_FAILED = "authentication_failed"
    BOOLEAN_INVALID = "boolean_invalid"
    CLIENT_CLOSED = "client_closed"
    CLIENT_NOT_FOUND = "client_not_found"
    CONFIG_OPTION_INVALID = "config_option_invalid"
    CONTACT_NOT_FOUND = "contact_not_found"
    CUSTOM_FIELD_INVALID = "custom_field_invalid"
    CUSTOM_FIELD_REQUIRED = "custom_field_required"
    CYCLE_INVALID = "cycle_invalid"
    CYCLE_NOT_OFFERED = "cycle_not_offered"
    DOMAIN_FIELD_INVALID = "domain_field_invalid"
    DOMAIN_FIELD_REQUIRED = "domain_field_required"
    DOMAIN_INVALID = "domain_invalid"
    DOMAIN_NOT_OWNED = "domain_not_owned"
    DOMAIN_NOT_RENEWABLE = "domain_not_renewable"
    DOMAIN_REPEATED = "domain_repeated"
    DOMAIN_TYPE_INVALID = "domain_type_invalid"
    EMPTY_ORDER = "empty_order"
    EPP_CODE_REQUIRED = "epp_code_required"
    EXTRA_NOT_OFFERED = "extra_not_offered"
    INTERNAL_ERROR = "internal_error"
    INVALID_PAYMENT_METHOD = "invalid_payment_method"
    IP_INVALID = "ip_invalid"
    ITEM_EMPTY = "item_empty"
    ITEM_KEY_INVALID = "item_key_invalid"
    MALFORMED = "malformed"
    MESSAGE_ID_INVALID = "message_id_invalid"
    MESSAGE_ID_MISSING = "message_id_missing"
    MESSAGE_ID_REUSED = "message_id_reused"
    NUMBER_INVALID = "number_invalid"
    OUT_OF_STOCK = "out_of_stock"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_REPEATED = "parameter_repeated"
    PERHAPS_PLACED = "perhaps_placed"
    PERIOD_NOT_OFFERED = "period_not_offered"
    PERMISSION_DENIED = "permission_denied"
    PRODUCT_NOT_FOUND = "product_not_found"
    QUANTITY_NOT_ALLOWED = "quantity_not_allowed"
    RENEWAL_REPEATED = "renewal_repeated"
    REQUEST_TOO_LARGE = "request_too_large"
    RESPONSETYPE_INVALID = "responsetype_invalid"
    SERIALIZED_INVALID = "serialized_invalid"
    SERVICE_NOT_EXTENDABLE = "service_not_extendable"
    SERVICE_NOT_OWNED = "service_not_owned"
    SERVICE_NOT_RENEWABLE = "service_not_renewable"
    SUPERSEDED = "superseded"
    SUPERSEDES_PLACED = "supersedes_placed"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_ITEMS = "too_many_items"
    TOTAL_TOO_LARGE = "total_too_large"
    UNKNOWN_ACTION = "unknown_action"
    UNKNOWN_TLD = "unknown_tld"
    VALUE_EXPECTED = "value_expected"


class Reason(StrEnum):
    """Why a message needs a person (messages.md, "Dead letters"). Whoever reads one takes one that is not listed."""

    REJECTED = "rejected"  # the caller's fault
    MALFORMED = "malformed"  # the caller's fault: it could not be read
    FAILED = "failed"  # our fault
    # Nobody writes these: they are told by where a message lies, and by the lack of a reason.
    DELIVERY_LIMIT = "delivery_limit"
    UNROUTED = "unrouted"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `message` names the parameter, the item and the mend; never a secret."""

    code: Code
    message: str
    parameter: str | None  # None: the request as a whole
    item: int | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that is refused whole, for the faults of the first stage that had any.

    `note` is for operators, in the dead letter and the log: what the caller must not be told, and never a secret.
    """

    faults: tuple[Fault, ...]
    note: str = ""

    @property
    def code(self) -> Code:
        return self.faults[0].code

    @property
    def message(self) -> str:
        return self.faults[0].message

    @classmethod
    def of(cls, faults: Iterable[Fault], note: str = "") -> "Rejection":
        return cls(tuple(faults)[:FAULTS_MAX], note)


class Rejected(Exception):
    """Raised where a rule says no; turned into a Rejection value by `decide` and by the edge."""

    def __init__(self, *faults: Fault, note: str = "") -> None:
        super().__init__(faults[0].message)
        self.faults = faults
        self.note = note


def place(parameter: str, item: int | None) -> str:
    """Name a parameter as the caller wrote it: `pid[1]`, or `clientid`."""
    return parameter if item is None else f"{parameter}[{item}]"


def fault(code: Code, parameter: str, item: int | None, sentence: str) -> Fault:
    """Make a fault whose message begins with its place, as in `qty[1]: …`. WHMCS's own messages stay as they are."""
    return Fault(code, f"{place(parameter, item)}: {sentence}", parameter, item)


def _of_all(code: Code, sentence: str) -> Fault:
    """Make a fault that is in no parameter."""
    return Fault(code, sentence, None, None)


# ---------------------------------------------------------------- the edge


def malformed(why: str) -> Fault:
    return _of_all(Code.MALFORMED, f"The request could not be read: {why}")


def request_too_large(bytes_max: int) -> Fault:
    return _of_all(Code.REQUEST_TOO_LARGE, f"The request is larger than {bytes_max} bytes")


def message_id_missing() -> Fault:
    return _of_all(Code.MESSAGE_ID_MISSING, "The message has no message_id: set one before the first try and keep it")


def message_id_invalid(chars_max: int) -> Fault:
    return _of_all(Code.MESSAGE_ID_INVALID, f"The message_id must be 1 to {chars_max} characters of text")


def message_id_reused() -> Fault:
    return _of_all(
        Code.MESSAGE_ID_REUSED,
        "This message_id was used for another request: give every new request a message_id of its own",
    )


def superseded(by: str) -> Fault:
    return _of_all(Code.SUPERSEDED, f"This request was edited by an operator, and placed as {by}")


def supersedes_placed(message_id: str) -> Fault:
    return _of_all(
        Code.SUPERSEDES_PLACED, f"The request that this one was edited from, {message_id}, was placed meanwhile"
    )


def authentication_failed() -> Fault:
    return _of_all(Code.AUTHENTICATION_FAILED, "Authentication Failed")


def permission_denied(action: str) -> Fault:
    return _of_all(Code.PERMISSION_DENIED, f'Invalid Permissions: API action "{action}" is not allowed')


def unknown_action() -> Fault:
    return Fault(Code.UNKNOWN_ACTION, "action: this queue takes addorder only", "action", None)


# ---------------------------------------------------------------- the shape of parameters


def parameter_missing(parameter: str, item: int | None = None) -> Fault:
    return fault(Code.PARAMETER_MISSING, parameter, item, "required")


def parameter_repeated(parameter: str) -> Fault:
    return Fault(Code.PARAMETER_REPEATED, f"Parameter '{parameter}' given more than once", parameter, None)


def array_expected(parameter: str) -> Fault:
    return Fault(Code.ARRAY_EXPECTED, f"Expecting parameter '{parameter}' to be an array", parameter, None)


def too_many_items(rows: int, rows_max: int) -> Fault:
    return _of_all(Code.TOO_MANY_ITEMS, f"The order would create {rows} rows, the limit is {rows_max}: split it")


def too_many_values(values_max: int) -> Fault:
    return _of_all(Code.TOO_MANY_ITEMS, f"It has more than {values_max} values, which no order needs: split it")


def item_empty(item: int) -> Fault:
    return Fault(
        Code.ITEM_EMPTY, f"item [{item}]: neither a product (pid) nor a domain (domaintype and domain)", None, item
    )


# ---------------------------------------------------------------- the order


def client_not_found() -> Fault:
    return Fault(Code.CLIENT_NOT_FOUND, "Client ID not found", "clientid", None)


def client_closed() -> Fault:
    return Fault(Code.CLIENT_CLOSED, "Unable to add order when client status is Closed", "clientid", None)


def invalid_payment_method(active: Iterable[str]) -> Fault:
    return Fault(
        Code.INVALID_PAYMENT_METHOD,
        f"Invalid Payment Method. Valid options include {', '.join(active)}",
        "paymentmethod",
        None,
    )


def contact_not_found() -> Fault:
    return fault(Code.CONTACT_NOT_FOUND, "contactid", None, "no contact of this client")


def empty_order() -> Fault:
    return _of_all(Code.EMPTY_ORDER, "No items added to cart so order cannot proceed")


def product_not_found(product_id: int, item: int) -> Fault:
    return fault(Code.PRODUCT_NOT_FOUND, "pid", item, f"there is no product {product_id} on sale")


def cycle_not_offered(cycle: str, item: int, offered: Iterable[str]) -> Fault:
    return fault(
        Code.CYCLE_NOT_OFFERED, "billingcycle", item, f"{cycle} is not offered, the product is sold {_one_of(offered)}"
    )


def product_not_priced(product_id: int, currency: str, item: int) -> Fault:
    return fault(Code.CYCLE_NOT_OFFERED, "pid", item, f"product {product_id} is not sold in {currency}")


def out_of_stock(product_id: int, left: int, item: int) -> Fault:
    return fault(Code.OUT_OF_STOCK, "pid", item, f"product {product_id} is out of stock ({left} left)")


def quantity_not_allowed(parameter: str, item: int) -> Fault:
    return fault(Code.QUANTITY_NOT_ALLOWED, parameter, item, "this product can be ordered once only")


def domain_invalid(item: int | None, parameter: str = "domain") -> Fault:
    return fault(Code.DOMAIN_INVALID, parameter, item, "not a valid domain name")


def domain_repeated(parameter: str, item: int | None, name: str) -> Fault:
    return fault(Code.DOMAIN_REPEATED, parameter, item, f"{name} is in this request already")


def unknown_tld(item: int) -> Fault:
    return fault(Code.UNKNOWN_TLD, "domain", item, "domains of this ending are not sold")


def period_not_offered(parameter: str, item: int | None, years: int, offered: Iterable[int]) -> Fault:
    return fault(Code.PERIOD_NOT_OFFERED, parameter, item, f"{years} years are not offered, but {_one_of(offered)}")


def renewed_too_far(parameter: str, years: int, until: date) -> Fault:
    sentence = f"{years} years would be until {until}; a domain can be renewed for ten years from today at most"
    return fault(Code.PERIOD_NOT_OFFERED, parameter, None, sentence)


def epp_code_required(item: int) -> Fault:
    return fault(Code.EPP_CODE_REQUIRED, "eppcode", item, "required to transfer this domain")


def extra_not_offered(parameter: str, item: int) -> Fault:
    return fault(Code.EXTRA_NOT_OFFERED, parameter, item, "not offered for domains of this ending")


def custom_field_required(item: int, field_id: int, name: str) -> Fault:
    return fault(Code.CUSTOM_FIELD_REQUIRED, "customfields", item, f"field {field_id} ({name}) is required")


def custom_field_invalid(item: int, field_id: int, name: str, options: Iterable[str]) -> Fault:
    return fault(Code.CUSTOM_FIELD_INVALID, "customfields", item, f"field {field_id} ({name}) takes {_one_of(options)}")


def domain_field_required(item: int, name: str) -> Fault:
    return fault(Code.DOMAIN_FIELD_REQUIRED, "domainfields", item, f"{name} is required")


def domain_field_invalid(item: int, name: str, options: Iterable[str]) -> Fault:
    return fault(Code.DOMAIN_FIELD_INVALID, "domainfields", item, f"{name} takes {_one_of(options)}")


def config_option_invalid(item: int, sentence: str) -> Fault:
    return fault(Code.CONFIG_OPTION_INVALID, "configoptions", item, sentence)


def addon_invalid(parameter: str, item: int | None) -> Fault:
    return Fault(Code.ADDON_INVALID, "Addon ID invalid", parameter, item)


def addon_not_offered(parameter: str, item: int | None, addon_id: int) -> Fault:
    return fault(Code.ADDON_NOT_OFFERED, parameter, item, f"addon {addon_id} is not offered with this product")


def service_not_owned(parameter: str, item: int | None) -> Fault:
    return Fault(Code.SERVICE_NOT_OWNED, "Service ID not owned by Client ID provided", parameter, item)


def service_not_extendable(service_id: int, status: str, parameter: str, item: int | None) -> Fault:
    sentence = f"service {service_id} is {status}: it can have no more addons"
    return fault(Code.SERVICE_NOT_EXTENDABLE, parameter, item, sentence)


def domain_not_owned(name: str) -> Fault:
    return Fault(Code.DOMAIN_NOT_OWNED, "Domain not owned by Client ID provided", f"domainrenewals[{name}]", None)


def domain_not_renewable(name: str, status: str) -> Fault:
    return Fault(
        Code.DOMAIN_NOT_RENEWABLE,
        f"Domain status is set to '{status}' and cannot be renewed",
        f"domainrenewals[{name}]",
        None,
    )


def service_not_renewable(service_id: int, item: int) -> Fault:
    return Fault(
        Code.SERVICE_NOT_RENEWABLE,
        f"Service ID {service_id} can not be renewed at this time.",
        "servicerenewals",
        item,
    )


def addon_not_owned(item: int) -> Fault:
    return fault(Code.ADDON_NOT_OWNED, "addonrenewals", item, "no addon of this client")


def addon_not_renewable(addon_id: int, item: int) -> Fault:
    return fault(Code.ADDON_NOT_RENEWABLE, "addonrenewals", item, f"addon {addon_id} can not be renewed at this time")


def renewal_repeated(parameter: str, item: int) -> Fault:
    return fault(Code.RENEWAL_REPEATED, parameter, item, "is in this request already")


def total_too_large() -> Fault:
    return _of_all(Code.TOTAL_TOO_LARGE, "The order's total is 100,000,000,000,000 or more: split it")


def _one_of(words: Iterable[object]) -> str:
    return ", ".join(str(word) for word in words) or "nothing"
