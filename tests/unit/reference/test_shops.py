"""Random shops are such as can be loaded."""

import json
import random
from datetime import date

import pytest

from schemas import catalog_check, catalog_file
from tests.reference.amended import BUILT
from tests.reference.shops import ShopMaker
from tests.reference.worked_shop import known_with

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize("seed", range(20))
def test_a_random_shop_is_a_catalogue_file_that_can_be_loaded(seed: int) -> None:
    shop = ShopMaker(random.Random(seed), TODAY, BUILT).make()

    catalog_check.check(catalog_file.parse(json.dumps(shop)))


def test_so_is_the_shop_of_the_worked_examples() -> None:
    catalog_check.check(catalog_file.parse(json.dumps(known_with(BUILT))))


def test_a_rule_that_is_left_out_leaves_no_key_in_the_file() -> None:
    shops = [ShopMaker(random.Random(seed), TODAY, frozenset()).make() for seed in range(20)]

    written = json.dumps(shops)
    for key in (
        "redemption",
        "while_renewed",
        'prorata": true',
        "requires_existing",
        "state_aliases",
        'tax_exempt": "',
    ):
        assert key not in written
