"""AddOrder: an order and all that is born with it (addorder.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from schemas import add_order, placed_order
from schemas.canonical import ADD_ORDER
from schemas.catalog import Catalog
from schemas.events import Cause
from schemas.order import Facts, FactsNeeded, OrderRequest, PlacedOrder, PricedOrder, Totals
from schemas.recorded import RecordedOrder
from schemas.rejections import Rejection
from schemas.wire import Tree
from worker.actions.asked import Decided, Said
from worker.domain.cart import rows_of
from worker.domain.decide import decide
from worker.domain.facts_needed import facts_needed
from worker.domain.rebuild import rebuild_order


@dataclass(frozen=True, slots=True)
class AskedAddOrder:
    content: OrderRequest

    @classmethod
    def parse(cls, tree: Tree) -> Self:
        """Read the parameters.

        Raises:
            Rejected: with every fault of them.
        """
        return cls(add_order.parse(tree))

    @property
    def action(self) -> str:
        return ADD_ORDER

    @property
    def client_id(self) -> int:
        return self.content.client_id

    def rows(self, catalog: Catalog) -> int:
        return rows_of(self.content, catalog)

    def facts_needed(self, catalog: Catalog) -> FactsNeeded:
        return facts_needed(self.content, catalog)

    def decide(self, facts: Facts, totals: Totals, catalog: Catalog) -> tuple[Decided | Rejection, Totals]:
        verdict, totals = decide(self.content, facts, totals, catalog)
        if isinstance(verdict, Rejection):
            return verdict, totals
        return Decided((verdict,), partial(_say, verdict)), totals

    def say_again(self, order: RecordedOrder, catalog: Catalog) -> Said:
        """Its events were confirmed before its answer was taken away: they are not said again."""
        rebuilt, placed = rebuild_order(self.content, order, catalog)
        return Said(placed_order.reply(rebuilt, placed), log_fields={"order_id": placed.order_id})


def _say(order: PricedOrder, written: Sequence[PlacedOrder], cause: Cause) -> Said:
    (placed,) = written
    return Said(
        placed_order.reply(order, placed),
        placed_order.events(order, placed, cause),
        {"order_id": placed.order_id, "client_id": order.client.id, "amount": str(order.bill.total)},
    )
