"""What dead letters would come to now: each priced as a worker would, without being sent."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

from repository.database import Database
from schemas.order import OrderRequest, PricedOrder
from schemas.rejections import Rejection
from worker.broker.dead_letters import DeadLetter
from worker.intake import quote

PRICED_MAX = 1_000  # of one run; each takes some milliseconds of the database
BYTES_MAX = 64 * 2**20  # of their bodies, which are kept until they are priced


@dataclass(frozen=True, slots=True)
class Priced:
    message_id: str
    verdict: PricedOrder | Rejection


class ToPrice:
    """Keeps requests until the queue is left alone: `left_out` is how many are too many."""

    def __init__(self, bytes_max: int) -> None:
        self.left_out = 0
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: list[tuple[str, OrderRequest | Rejection]] = []

    def put(self, letter: DeadLetter) -> None:
        body = letter.delivery.body
        if len(self._kept) >= PRICED_MAX or self._bytes + len(body) > BYTES_MAX:
            self.left_out += 1
            return
        self._bytes += len(body)
        read = quote.read(body, letter.delivery.properties.content_type, bytes_max=self._bytes_max)
        self._kept.append((letter.message_id, read))

    async def priced(self, database: Database) -> AsyncIterator[Priced]:
        """Price each, on the database as it stands; whether the caller may ask is not checked."""
        for message_id, read in self._kept:
            verdict = read if isinstance(read, Rejection) else await quote.quote(read, database)
            yield Priced(message_id, verdict)


class Sums:
    """Counts what would pass, with what it comes to, and what would be rejected, by code."""

    def __init__(self) -> None:
        self.passing = 0
        self.rejected = Counter[str]()
        self._totals = dict[str, Decimal]()

    def put(self, priced: Priced) -> None:
        match priced.verdict:
            case Rejection(code=code):
                self.rejected[code] += 1
            case PricedOrder() as order:
                self.passing += 1
                currency = order.currency.code
                self._totals[currency] = self._totals.get(currency, Decimal(0)) + order.bill.total

    @property
    def words(self) -> str:
        amounts = ", ".join(f"{total} {currency}" for currency, total in sorted(self._totals.items()))
        passing = f"{self.passing:,} would pass now" + (f", for {amounts}" if amounts else "")
        rejected = ", ".join(f"{count:,} {code}" for code, count in self.rejected.most_common())
        return f"{passing}; {sum(self.rejected.values()):,} would be rejected: {rejected}" if rejected else passing
