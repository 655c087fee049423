"""Random shops and requests meet every rule there is: what they miss is held against nothing."""

from collections import Counter

import pytest

from tests.reference.amended import ALL, BUILT
from tests.reference.coverage import RULES, rules_of
from tests.reference.scenes import Scene
from tests.reference.shops import Rules

SCENES = 80  # of ten requests


@pytest.mark.parametrize("rules", [BUILT, ALL], ids=["built", "all"])
def test_every_rule_is_met_by_some_of_a_few_scenes(rules: Rules) -> None:
    met = Counter[str]()
    for scene in (Scene(seed, rules) for seed in range(SCENES)):
        shop = scene.shop
        for today, request, before, outcome in scene.play():
            met.update(rules_of(shop, today, request, before, outcome))

    wanted = {name for name, amended in RULES.items() if amended is None or amended in rules}
    assert wanted - met.keys() == set()
    assert met.keys() <= RULES.keys()
