"""What every action is to the pipeline: a parsed request that says what it must know, decides, and says what to tell.

An action is pure. Only the pipeline touches servers, and no stage of it asks which action it has in hand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.catalog import Catalog
from schemas.events import Cause, Event
from schemas.order import Facts, FactsNeeded, PlacedOrder, PricedOrder, Totals
from schemas.recorded import RecordedOrder
from schemas.rejections import Rejection
from schemas.replies import Reply

Change = PricedOrder  # what the repository writes for a request
Written = PlacedOrder  # the ids that a change's rows were given


@dataclass(frozen=True, slots=True)
class Said:
    """What the world hears of a request that was carried out."""

    reply: Reply
    events: tuple[Event, ...] = ()
    log_fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a request comes to: its changes, in the order in which they are written, and what is said of them.

    `say` is given the ids of each change, in the same order.
    """

    changes: tuple[Change, ...]
    say: Callable[[Sequence[Written], Cause], Said]


class Asked(Protocol):
    """A parsed request of one action."""

    @property
    def action(self) -> str:
        """WHMCS's word for it in lower case: what a credential may call."""

    @property
    def content(self) -> object:
        """What its fingerprint is of: a dataclass of schemas."""

    @property
    def client_id(self) -> int | None:
        """For whom it is, where it says so."""

    def rows(self, catalog: Catalog) -> int:
        """Count the rows that it would write, for the bound of a batch."""

    def facts_needed(self, catalog: Catalog) -> FactsNeeded:
        """Name every fact and every running total that `decide` will look up."""

    def decide(self, facts: Facts, totals: Totals, catalog: Catalog) -> tuple[Decided | Rejection, Totals]:
        """Judge it. Returned are also the totals with what it takes; as they were if it is rejected."""

    def say_again(self, order: RecordedOrder, catalog: Catalog) -> Said:
        """Say once more what was said, from the rows of what it made: its answer is not kept any more."""
