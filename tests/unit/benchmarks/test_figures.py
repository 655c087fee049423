from tests.benchmarks.figures import Aim, Figure, regressions


def figure(*rounds: float, more_is_better: bool = True, is_compared: bool = True) -> Figure:
    return Figure("a figure", rounds, more_is_better=more_is_better, is_compared=is_compared)


def test_a_figure_is_met_by_its_median() -> None:
    assert Figure("a figure", (7.0, 8.5, 9.0), Aim(8, at_least=True)).is_met
    assert not Figure("a figure", (7.0, 7.5, 9.0), Aim(8, at_least=True)).is_met
    assert Figure("a figure", (1.0, 1.05, 3.0), Aim(1.1)).is_met
    assert Figure("a figure", (), Aim(1.1)).is_met is None


def test_within_the_spread_of_the_rounds_nothing_is_worse() -> None:
    assert not regressions([figure(8, 9, 10)], [figure(6, 7, 8)])
    assert not regressions([figure(1, 2, 3, more_is_better=False)], [figure(3, 4, 5, more_is_better=False)])


def test_it_is_worse_when_its_best_round_is_worse_than_the_worst_before() -> None:
    assert regressions([figure(8, 9, 10)], [figure(5, 6, 7)]) == ["a figure: 6.00 ×, was 9.00"]  # noqa: RUF001
    assert regressions([figure(1, 2, 3, more_is_better=False)], [figure(4, 5, 6, more_is_better=False)])


def test_what_is_not_compared_or_was_not_measured_is_never_worse() -> None:
    assert not regressions([figure(8, 9)], [figure(1, 2, is_compared=False)])
    assert not regressions([figure()], [figure(1, 2)])
    assert not regressions([figure(8, 9)], [figure()])
    assert not regressions([], [figure(1, 2)])
