"""A scene: one random shop, some requests one after the other. The same for the same seed, whoever plays it."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.amended import BUILT
from tests.reference.books import Books
from tests.reference.comparing import differences
from tests.reference.placing import Outcome, place
from tests.reference.product import Product
from tests.reference.requests import RequestMaker
from tests.reference.shops import Rules, ShopMaker

REQUESTS = 10  # of one shop
PLACED = 0.8  # of the requests: tried until there is one that can be
TRIES = 8
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
MINUTES = 5 * 365 * 24 * 60  # from then on; days of all months, and moments at which zones have different dates

Request = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    seed: int
    rules: Rules = BUILT

    @property
    def now(self) -> datetime:
        return FIRST_DAY + timedelta(minutes=self._chance("now").randrange(MINUTES))

    @property
    def shop(self) -> dict[str, Any]:
        # The file tells the zone and is made for a day: made once for the zone, it is made again for the zone's day.
        zone = ShopMaker(self._chance("shop"), self.now.date(), self.rules).make()["settings"]["timezone"]
        return ShopMaker(self._chance("shop"), _day_in(zone, self.now), self.rules).make()

    def play(self) -> Iterator[tuple[date, Request, Books, Outcome]]:
        """Play it by the rules alone: each request with the books that it found and what comes of it."""
        shop = self.shop
        today = _day_in(shop["settings"]["timezone"], self.now)
        books = Books.of(shop, today)
        chance = self._chance("requests")
        maker = RequestMaker(chance, shop, self.rules)
        for _ in range(REQUESTS):
            is_wrong = chance.random() >= PLACED
            for _ in range(1 if is_wrong else TRIES):
                request = maker.make(books, is_wrong=is_wrong)
                outcome = place(shop, books, request, today)
                if outcome.placed:
                    break
            yield today, request, books, outcome
            books = outcome.books

    async def hold(self, server_url: str, template: str) -> "Difference | None":
        """Play it by the rules and by the product, and return the first request where they differ."""
        shop = self.shop
        async with Product.opened(server_url, template, shop, self.now.isoformat()) as product:
            for number, (today, request, _, outcome) in enumerate(self.play()):
                assert await product.today() == today
                found = differences(outcome, await product.ask(request), self.rules)
                if found:
                    return Difference(self, number, request, tuple(found))
        return None

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {what}")


@dataclass(frozen=True)
class Difference:
    scene: Scene
    number: int
    request: Request
    found: tuple[str, ...]

    def write(self, folder: Path) -> str:
        """Write the shop's file, and tell all that a person needs to see it again."""
        file = folder / f"shop-{self.scene.seed}.json"
        file.write_text(json.dumps(self.scene.shop, indent=1, ensure_ascii=False), encoding="utf-8")
        return "\n".join(
            (
                f"seed {self.scene.seed}, request {self.number}, on {self.scene.now:%Y-%m-%d %H:%M} UTC",
                f"shop: {file}",
                f"again: python -m tests.reference {self.scene.seed}",
                f"request: {json.dumps(self.request)}",
                "rules  |  product",
                *(f"  {line}" for line in self.found),
            )
        )


def _day_in(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()
