"""What is shown of a bill, wherever it is shown: its taxes, its parties, its number."""

from collections.abc import Iterator

from schemas.order import Buyer, TaxAmount
from schemas.recorded import RecordedInvoice
from schemas.shop_settings import Seller
from worker.redaction import escape_controls


def tax_text(tax: TaxAmount, *, contained: bool) -> str:
    """`VAT 20 % of 90.00`, or `VAT 20 % of 75.00, contained`."""
    base = "" if tax.base is None else f" of {tax.base}"
    return f"{escape_controls(tax.name)} {tax.rate.normalize():f} %{base}{', contained' if contained else ''}"


def invoice_text(invoice: RecordedInvoice) -> Iterator[str]:
    """Say in a few lines which invoice it is, until when it is to be paid, who owes whom, and why there is no tax."""
    if invoice.number is not None:
        kind = f", number {invoice.number} of {invoice.issued}"
    else:
        kind = ", pro forma" if invoice.proforma else ""
    yield f"{invoice.id}{kind}, {invoice.status}"
    yield f"of {invoice.date}, due {invoice.due}"
    if invoice.client is not None:
        yield f"to {_buyer(invoice.client)}"
    if invoice.seller is not None and (seller := _seller(invoice.seller)):
        yield f"from {seller}"
    if invoice.tax_note:
        yield invoice.tax_note


def _buyer(buyer: Buyer) -> str:
    place = (buyer.address1, buyer.address2, f"{buyer.postcode} {buyer.city}".strip(), buyer.state, buyer.country)
    exempt = "exempt of tax" if buyer.tax_exempt else ""
    return _joined(buyer.name, buyer.company, *place, _tax_id(buyer.tax_id), exempt)


def _seller(seller: Seller) -> str:
    return _joined(seller.name, *seller.address.splitlines(), seller.country, _tax_id(seller.tax_id))


def _tax_id(tax_id: str) -> str:
    return f"tax id {tax_id}" if tax_id else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
