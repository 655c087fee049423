"""What a request would cost, under the names of what would be said of it."""

from pathlib import Path

import orjson
import pytest

from schemas.order import PricedOrder
from schemas.quotes import quote
from schemas.rejections import Rejection
from tests import samples

BODIES = Path(__file__).parent / "bodies"
VERDICTS: dict[str, PricedOrder | Rejection] = {
    "everything": samples.EVERYTHING,
    "bare": samples.BARE,
    "faults": samples.REJECTION,
}


@pytest.mark.parametrize(("name", "verdict"), VERDICTS.items(), ids=VERDICTS)
def test_a_quote_is_written_as_it_ever_was_to_the_byte(name: str, verdict: PricedOrder | Rejection) -> None:
    assert orjson.dumps(quote(verdict), default=str) == (BODIES / f"{name}.quote.json").read_bytes()
