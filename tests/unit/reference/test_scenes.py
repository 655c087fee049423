"""A seed is a scene: who plays it again sees the same."""

from datetime import UTC
from itertools import pairwise

from tests.reference.amended import ALL
from tests.reference.scenes import REQUESTS, Scene


def test_the_same_seed_is_the_same_scene_and_another_one_is_not() -> None:
    first, again, other = Scene(7, ALL), Scene(7, ALL), Scene(8, ALL)

    assert (first.shop, first.now) == (again.shop, again.now)
    assert list(first.play()) == list(again.play())
    assert (first.shop, first.now) != (other.shop, other.now)


def test_most_requests_are_placed() -> None:
    outcomes = [outcome for seed in range(20) for *_, outcome in Scene(seed).play()]

    placed = [outcome for outcome in outcomes if outcome.placed]
    assert len(outcomes) == 20 * REQUESTS
    assert 0.65 < len(placed) / len(outcomes) < 0.95


def test_some_scenes_are_at_a_moment_that_has_another_date_in_the_shops_zone() -> None:
    scenes = [Scene(seed) for seed in range(40)]

    dates = [(next(scene.play())[0], scene.now.astimezone(UTC).date()) for scene in scenes]
    assert {shops > ours for shops, ours in dates if shops != ours} == {True, False}


def test_what_a_request_finds_is_left_as_it_was() -> None:
    for seed in range(5):
        played = list(Scene(seed, ALL).play())

        for (*_, outcome), (_, _, found, _) in pairwise(played):
            assert found is outcome.books
        assert all(outcome.books is found or outcome.placed for _, _, found, outcome in played)
