"""Every way we say no: each with its stable code and its sentence (addorder.md 4)."""

from collections.abc import Iterable
from dataclasses import dataclass

# Every code there is: those of this page, and those of the shapes and types of parameters (add_order.py). A code once
# published keeps its meaning; a new one is a line in CHANGELOG.md.
CODES = frozenset({
    "addon_invalid", "addon_not_offered", "addon_not_owned", "addon_not_renewable", "amount_invalid",
    "array_expected", "authentication_failed", "boolean_invalid", "client_closed", "client_not_found",
    "config_option_invalid", "contact_not_found", "custom_field_invalid", "custom_field_required", "cycle_invalid",
    "cycle_not_offered", "domain_field_invalid", "domain_field_required", "domain_invalid", "domain_not_owned",
    "domain_not_renewable", "domain_repeated", "domain_type_invalid", "empty_order", "epp_code_required",
    "extra_not_offered", "invalid_payment_method", "ip_invalid", "item_empty", "item_key_invalid",
    "malformed", "message_id_invalid", "message_id_missing", "message_id_reused", "number_invalid", "out_of_stock",
    "parameter_missing", "parameter_repeated", "period_not_offered", "permission_denied", "product_not_found",
    "quantity_not_allowed", "renewal_repeated", "request_too_large", "responsetype_invalid", "serialized_invalid",
    "service_not_owned", "service_not_renewable", "superseded", "supersedes_placed", "text_too_long",
    "too_many_items", "total_too_large", "unknown_action", "unknown_tld", "value_expected",
})  # fmt: skip

FAULTS_MAX = 20  # a request's faults beyond these are not listed (addorder.md 4)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request. `message` names the parameter, the item and the mend; never a secret."""

    code: str
    message: str
    parameter: str | None = None
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that is refused whole, for the faults of the first stage that had any."""

    faults: tuple[Fault, ...]

    @property
    def code(self) -> str:
        return self.faults[0].code

    @property
    def message(self) -> str:
        return self.faults[0].message

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> "Rejection":
        return cls(tuple(faults)[:FAULTS_MAX])


class Rejected(Exception):
    """Raised where a rule says no; turned into a Rejection value by `decide` and by the edge."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].message)
        self.faults = faults


def place(parameter: str, item: int | None) -> str:
    """Name a parameter as the caller wrote it: `pid[1]`, or `clientid`."""
    return parameter if item is None else f"{parameter}[{item}]"


def fault(code: str, parameter: str, item: int | None, sentence: str) -> Fault:
    return Fault(code, f"{place(parameter, item)}: {sentence}", parameter, item)


# ---------------------------------------------------------------- the edge


def malformed(why: str) -> Fault:
    return Fault("malformed", f"The request could not be read: {why}")


def request_too_large(bytes_max: int) -> Fault:
    return Fault("request_too_large", f"The request is larger than {bytes_max} bytes")


def message_id_missing() -> Fault:
    return Fault("message_id_missing", "The message has no message_id: set one before the first try and keep it")


def message_id_invalid(chars_max: int) -> Fault:
    return Fault("message_id_invalid", f"The message_id must be 1 to {chars_max} characters of text")


def message_id_reused() -> Fault:
    return Fault(
        "message_id_reused",
        "This message_id was used for another request: give every new request a message_id of its own",
    )


def superseded(by: str) -> Fault:
    return Fault("superseded", f"This request was edited by an operator, and placed as {by}")


def supersedes_placed(message_id: str) -> Fault:
    return Fault("supersedes_placed", f"The request that this one was edited from, {message_id}, was placed meanwhile")


def authentication_failed() -> Fault:
    return Fault("authentication_failed", "Authentication Failed")


def permission_denied(action: str) -> Fault:
    return Fault("permission_denied", f'Invalid Permissions: API action "{action}" is not allowed')


def unknown_action() -> Fault:
    return Fault("unknown_action", "action: this queue takes addorder only", "action")


# ---------------------------------------------------------------- the shape of parameters


def parameter_missing(parameter: str, item: int | None = None) -> Fault:
    return fault("parameter_missing", parameter, item, "required")


def parameter_repeated(parameter: str) -> Fault:
    return Fault("parameter_repeated", f"Parameter '{parameter}' given more than once", parameter)


def array_expected(parameter: str) -> Fault:
    return Fault("array_expected", f"Expecting parameter '{parameter}' to be an array", parameter)


def too_many_items(rows: int, rows_max: int) -> Fault:
    return Fault("too_many_items", f"The order would create {rows} rows, the limit is {rows_max}: split it")


def item_empty(item: int) -> Fault:
    return Fault(
        "item_empty", f"item [{item}]: neither a product (pid) nor a domain (domaintype and domain)", None, item
    )


# ---------------------------------------------------------------- the order


def client_not_found() -> Fault:
    return Fault("client_not_found", "Client ID not found", "clientid")


def client_closed() -> Fault:
    return Fault("client_closed", "Unable to add order when client status is Closed", "clientid")


def invalid_payment_method(active: Iterable[str]) -> Fault:
    return Fault(
        "invalid_payment_method",
        f"Invalid Payment Method. Valid options include {', '.join(active)}",
        "paymentmethod",
    )


def contact_not_found() -> Fault:
    return fault("contact_not_found", "contactid", None, "no contact of this client")


def empty_order() -> Fault:
    return Fault("empty_order", "No items added to cart so order cannot proceed")


def product_not_found(product_id: int, item: int) -> Fault:
    return fault("product_not_found", "pid", item, f"there is no product {product_id} on sale")


def cycle_not_offered(cycle: str, item: int, offered: Iterable[str]) -> Fault:
    return fault(
        "cycle_not_offered", "billingcycle", item, f"{cycle} is not offered, the product is sold {_one_of(offered)}"
    )


def product_not_priced(product_id: int, currency: str, item: int) -> Fault:
    return fault("cycle_not_offered", "pid", item, f"product {product_id} is not sold in {currency}")


def out_of_stock(product_id: int, left: int, item: int) -> Fault:
    return fault("out_of_stock", "pid", item, f"product {product_id} is out of stock ({left} left)")


def quantity_not_allowed(parameter: str, item: int) -> Fault:
    return fault("quantity_not_allowed", parameter, item, "this product can be ordered once only")


def domain_invalid(item: int | None, parameter: str = "domain") -> Fault:
    return fault("domain_invalid", parameter, item, "not a valid domain name")


def domain_repeated(parameter: str, item: int | None, name: str) -> Fault:
    return fault("domain_repeated", parameter, item, f"{name} is in this request already")


def unknown_tld(item: int) -> Fault:
    return fault("unknown_tld", "domain", item, "domains of this ending are not sold")


def period_not_offered(parameter: str, item: int | None, years: int, offered: Iterable[int]) -> Fault:
    return fault("period_not_offered", parameter, item, f"{years} years are not offered, but {_one_of(offered)}")


def epp_code_required(item: int) -> Fault:
    return fault("epp_code_required", "eppcode", item, "required to transfer this domain")


def extra_not_offered(parameter: str, item: int) -> Fault:
    return fault("extra_not_offered", parameter, item, "not offered for domains of this ending")


def custom_field_required(item: int, field_id: int, name: str) -> Fault:
    return fault("custom_field_required", "customfields", item, f"field {field_id} ({name}) is required")


def custom_field_invalid(item: int, field_id: int, name: str, options: Iterable[str]) -> Fault:
    return fault("custom_field_invalid", "customfields", item, f"field {field_id} ({name}) takes {_one_of(options)}")


def domain_field_required(item: int, name: str) -> Fault:
    return fault("domain_field_required", "domainfields", item, f"{name} is required")


def domain_field_invalid(item: int, name: str, options: Iterable[str]) -> Fault:
    return fault("domain_field_invalid", "domainfields", item, f"{name} takes {_one_of(options)}")


def config_option_invalid(item: int, sentence: str) -> Fault:
    return fault("config_option_invalid", "configoptions", item, sentence)


def addon_invalid(parameter: str, item: int | None) -> Fault:
    return Fault("addon_invalid", "Addon ID invalid", parameter, item)


def addon_not_offered(parameter: str, item: int | None, addon_id: int) -> Fault:
    return fault("addon_not_offered", parameter, item, f"addon {addon_id} is not offered with this product")


def service_not_owned(parameter: str, item: int | None) -> Fault:
    return Fault("service_not_owned", "Service ID not owned by Client ID provided", parameter, item)


def domain_not_owned(name: str) -> Fault:
    return Fault("domain_not_owned", "Domain not owned by Client ID provided", f"domainrenewals[{name}]")


def domain_not_renewable(name: str, status: str) -> Fault:
    return Fault(
        "domain_not_renewable",
        f"Domain status is set to '{status}' and cannot be renewed",
        f"domainrenewals[{name}]",
    )


def service_not_renewable(service_id: int, item: int) -> Fault:
    return Fault(
        "service_not_renewable",
        f"Service ID {service_id} can not be renewed at this time.",
        "servicerenewals",
        item,
    )


def addon_not_owned(item: int) -> Fault:
    return fault("addon_not_owned", "addonrenewals", item, "no addon of this client")


def addon_not_renewable(addon_id: int, item: int) -> Fault:
    return fault("addon_not_renewable", "addonrenewals", item, f"addon {addon_id} can not be renewed at this time")


def renewal_repeated(parameter: str, item: int) -> Fault:
    return fault("renewal_repeated", parameter, item, "is in this request already")


def total_too_large() -> Fault:
    return Fault("total_too_large", "The order's total is 100,000,000,000,000 or more: split it")


def _one_of(words: Iterable[object]) -> str:
    return ", ".join(str(word) for word in words) or "nothing"
