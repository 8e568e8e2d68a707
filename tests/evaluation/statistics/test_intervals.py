"""The statistics against simulated cases whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.statistics import intervals
from echo_augment.evaluation.statistics.intervals import (
    MIN_VIDEOS,
    crossed_error,
    estimate_arm,
    estimate_difference,
    grouped,
)
from echo_augment.evaluation.statistics.metrics import METRICS

MAE = METRICS["mae"]


def dealt(seeds, generators):
    """The generator of each seed, in turn."""
    return [place % generators for place in range(seeds)] if generators else None


def simulate(
    rng,
    seeds,
    hearts,
    *,
    shift=0.0,
    seed_sd=0.5,
    heart_sd=3.0,
    rest_sd=3.0,
    skewed=False,
    heavy=False,
    generators=0,
    generator_sd=0.0,
):
    """Two arms whose MAE differ by ``shift`` in the long run, with effects of heart (normal or exponential), seed
    (normal, or ``heavy``: t with 3 degrees of freedom, of the same deviation), generator (dealt to the seeds in turn),
    and of seed and heart together."""
    true = rng.normal(55, 12, hearts)
    second = 100 + rng.normal(0, 1, (seeds, hearts))  # far from zero, so that |error| is linear in it
    of_heart = heart_sd * (rng.exponential(1, hearts) - 1 if skewed else rng.normal(0, 1, hearts))
    of_seed = seed_sd * rng.standard_t(3, (seeds, 1)) / 3**0.5 if heavy else rng.normal(0, seed_sd, (seeds, 1))
    effect = of_heart + of_seed
    if generators:
        effect = effect + rng.normal(0, generator_sd, generators)[dealt(seeds, generators), None]
    first = second + shift + effect + rng.normal(0, rest_sd, (seeds, hearts))
    return true, true + first, true + second


def missed(simulations: int, seeds: int, hearts: int, resamples: int, **effects) -> tuple[float, float]:
    """Shares of intervals that lie below and above the true difference, zero; together they are the false alarms."""
    rng = np.random.default_rng([seeds, hearts, simulations])
    groups = dealt(seeds, effects.get("generators", 0))
    below = above = 0
    for number in range(simulations):
        true, first, second = simulate(rng, seeds, hearts, **effects)
        found = estimate_difference(MAE, true, first, second, seed=number, resamples=resamples, groups=groups)
        below += found.ci[1] < 0
        above += found.ci[0] > 0
    return below / simulations, above / simulations


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    assert 0.015 <= sum(missed(240, 5, 50, 499)) <= 0.09


def test_the_interval_is_as_skewed_as_the_hearts_where_the_seeds_agree_and_symmetric_where_they_do_not():
    rng = np.random.default_rng(12)
    sides = []
    for seed_sd in (0.0, 10.0):
        true, first, second = simulate(rng, 3, 40, seed_sd=seed_sd, rest_sd=0.5, skewed=True)
        found = estimate_difference(MAE, true, first, second)
        sides.append((found.ci[1] - found.value) / (found.value - found.ci[0]))
    assert sides[0] > 1.15
    assert sides[1] == pytest.approx(1, abs=0.01)


def test_three_noisy_seeds_do_not_make_false_alarms():
    false = sum(missed(120, 3, 50, 499, seed_sd=2.0))
    assert false <= 0.13, "the plain bootstrap of three seeds misses the truth in about 25 % of cases"


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize(
    ("seeds", "hearts", "seed_sd"),
    [(3, 160, 0.5), (3, 160, 1.0), (3, 160, 2.0), (5, 60, 0.0), (5, 60, 0.5), (5, 160, 1.0), (10, 160, 1.0)],
)
def test_coverage_in_eight_thousand_simulations(seeds, hearts, seed_sd, skewed):
    below, above = missed(8000, seeds, hearts, 599, seed_sd=seed_sd, skewed=skewed)
    shape = "exponential" if skewed else "normal"
    sides = f"{100 * below:.1f} % below and {100 * above:.1f} % above"
    print(f"{seeds} seeds with sd {seed_sd}, {hearts} {shape} hearts: {100 * (below + above):.1f} % missed, {sides}")
    error = (0.05 * 0.95 / 8000) ** 0.5
    assert 0.03 <= below + above <= (0.07 if skewed else 0.05 + 2 * error), "two standard errors of this simulation"
    assert max(below, above) <= 4 * min(below, above)


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True])
@pytest.mark.parametrize(
    ("seeds", "generators", "generator_sd"),
    [(5, 0, 0.0), (10, 0, 0.0), (5, 3, 0.5), (6, 3, 0.0), (10, 3, 0.3), (10, 3, 0.5), (10, 3, 1.0)],
)
def test_coverage_with_heavy_tailed_seeds_and_a_few_generators(seeds, generators, generator_sd, skewed, monkeypatch):
    """As the benchmark has them: 240 hearts, seeds whose effect is t with 3 degrees of freedom, generators in turn."""
    monkeypatch.setattr(intervals, "_p_value", lambda *_: 1.0)  # not asked for here, and most of the time
    effects = {"seed_sd": 0.7, "heavy": True, "generators": generators, "generator_sd": generator_sd}
    below, above = missed(2000, seeds, 240, 399, skewed=skewed, **effects)
    coverage, shape = 1 - below - above, "exponential" if skewed else "normal"
    words = f"{seeds} seeds, {generators} generators with sd {generator_sd}, {shape} hearts"
    print(f"{words}: {100 * coverage:.1f} % held, {100 * below:.1f} % below and {100 * above:.1f} % above")
    error = (0.05 * 0.95 / 2000) ** 0.5
    assert 0.93 - 2 * error <= coverage <= 0.97 + 2 * error, "two standard errors of this simulation"


def test_seeds_that_share_generators_say_less_than_seeds_of_their_own():
    """Without groups, ten seeds of three generators miss the truth far too often; with them the interval holds it."""
    effects = {"generators": 3, "generator_sd": 2.0}
    assert sum(missed(120, 9, 50, 299, **effects)) <= 0.12
    rng, blind = np.random.default_rng(5), 0
    for number in range(120):
        true, first, second = simulate(rng, 9, 50, **effects)
        found = estimate_difference(MAE, true, first, second, seed=number, resamples=299)
        blind += not found.ci[0] <= 0 <= found.ci[1]
    assert blind / 120 >= 0.2


def test_grouped_seeds_keep_the_figure_and_one_group_is_none():
    true, first, second = simulate(np.random.default_rng(6), 6, 40, generators=2, generator_sd=1.0)
    alone, same = (estimate_difference(MAE, true, first, second, groups=groups) for groups in (None, [4] * 6))
    pairs = estimate_difference(MAE, true, first, second, groups=[0, 1, 0, 1, 0, 1])
    assert alone == same
    assert pairs.value == alone.value
    assert pairs.ci != alone.ci
    with pytest.raises(EchoAugmentError, match="2 groups for 6 seeds"):
        grouped(np.zeros((6, 3)), [0, 1])


def test_a_true_difference_is_found_and_signed():
    rng = np.random.default_rng(1)
    true, first, second = simulate(rng, 5, 80, shift=-3.0)
    found = estimate_difference(MAE, true, first, second)
    assert found.ci[1] < 0
    assert found.p < 0.01
    back = estimate_difference(MAE, true, second, first)
    assert back.value == pytest.approx(-found.value)
    assert back.ci[0] > 0


def test_p_and_interval_never_disagree():
    rng = np.random.default_rng(2)
    for shift in np.linspace(-1.5, 1.5, 13):
        found = estimate_difference(MAE, *simulate(rng, 4, 40, shift=shift), resamples=999)
        assert (found.p < 0.05) == (not found.ci[0] <= 0 <= found.ci[1])


def test_detectable_is_what_a_t_test_of_80_percent_power_finds():
    rng = np.random.default_rng(3)
    hits, sizes = 0, []
    for _ in range(20):
        true, first, second = simulate(rng, 5, 60, seed_sd=0.2)
        sizes.append(estimate_difference(MAE, true, first, second, resamples=299).detectable)
    size = float(np.median(sizes))
    for number in range(80):
        found = estimate_difference(MAE, *simulate(rng, 5, 60, shift=size, seed_sd=0.2), resamples=299, seed=number)
        hits += found.ci[0] > 0
    assert 50 <= hits <= 76


def test_pairing_makes_the_interval_narrow():
    rng = np.random.default_rng(4)
    true = rng.normal(55, 12, 60)
    hard = np.abs(rng.normal(0, 8, 60))
    first = true + hard + rng.normal(0, 0.5, (4, 60))
    second = true + hard + 1 + rng.normal(0, 0.5, (4, 60))
    paired = estimate_difference(MAE, true, first, second)
    shuffled = estimate_difference(MAE, true, first, true + rng.permuted(second - true, axis=1))
    assert paired.ci[1] - paired.ci[0] < 0.3 * (shuffled.ci[1] - shuffled.ci[0])


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_bca_of_one_seed_is_scipy_s_widened_for_the_t_distribution(name):
    rng = np.random.default_rng(5)
    true = rng.normal(55, 12, 400)
    predicted = (true + rng.normal(1, 6, 400))[None]
    metric = METRICS[name]

    def statistic(places, axis=-1):
        places = places.astype(int)
        return metric.value((predicted - true)[0][places][..., None, :], true[places][..., None, :])

    theirs = stats.bootstrap(
        [np.arange(400.0)], statistic, n_resamples=9999, method="BCa", random_state=np.random.default_rng(0)
    ).confidence_interval
    ours = estimate_arm(metric, true, predicted, resamples=9999)
    width = theirs.high - theirs.low
    assert ours.ci[0] == pytest.approx(theirs.low, abs=0.06 * width)
    assert ours.ci[1] == pytest.approx(theirs.high, abs=0.06 * width)
    assert ours.p is None


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_influence_is_the_derivative_of_the_figure(name):
    rng = np.random.default_rng(6)
    true, metric = rng.normal(55, 12, 30), METRICS[name]
    residuals = rng.normal(0, 6, (3, 30))
    share = metric.influence(residuals, true[None])
    np.testing.assert_allclose(share.mean(1), metric.per_seed(residuals, true[None]), rtol=1e-9)
    twice = np.append(np.arange(30), 4)  # heart 4 counted once more: the figure moves by its share
    moved = metric.per_seed(residuals[:, twice], true[None, twice]) - metric.per_seed(residuals, true[None])
    wanted = (share[:, 4] - share.mean(1)) / 31
    np.testing.assert_allclose(moved, wanted, rtol=0.1, atol=0.05 * np.abs(wanted).max())


def test_crossed_error_of_known_variances():
    rng = np.random.default_rng(8)
    seeds, hearts, found = 6, 40, []
    for _ in range(400):
        share = rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 3, hearts) + rng.normal(0, 2, (seeds, hearts))
        found.append(crossed_error(share)[0] ** 2)
    assert np.mean(found) == pytest.approx(1 / seeds + 9 / hearts + 4 / (seeds * hearts), rel=0.1)


def test_too_few_hearts_give_the_value_and_the_reason():
    true = np.array([44.0])
    found = estimate_difference(MAE, true, np.array([[50.0], [52.0]]), np.array([[60.0], [60.0]]))
    assert found.value == pytest.approx(-9)
    assert found.ci is None
    assert found.p is None
    assert "1 test heart;" in found.reason
    assert estimate_arm(METRICS["r2"], true, np.array([[50.0]])).ci is None
    assert str(MIN_VIDEOS) in found.reason


def test_equal_arms_differ_by_exactly_nothing():
    rng = np.random.default_rng(9)
    true = rng.normal(55, 12, 20)
    predicted = true + rng.normal(0, 5, (3, 20))
    found = estimate_difference(MAE, true, predicted, predicted)
    assert (found.value, found.ci, found.p) == (0, (0, 0), 1)


def test_one_seed_is_an_interval_over_hearts():
    rng = np.random.default_rng(10)
    true, first, second = simulate(rng, 1, 60, shift=4.0)
    found = estimate_difference(MAE, true, first, second)
    assert found.ci[0] > 0


def test_the_same_seed_gives_the_same_interval():
    arrays = simulate(np.random.default_rng(11), 3, 30)
    assert estimate_difference(MAE, *arrays, seed=4) == estimate_difference(MAE, *arrays, seed=4)


def test_bad_shapes_and_levels_are_refused():
    true = np.zeros(10)
    with pytest.raises(EchoAugmentError, match=r"\(seeds, 10\)"):
        estimate_arm(MAE, true, np.zeros((2, 9)))
    with pytest.raises(EchoAugmentError, match=r"equal \(seeds, videos\)"):
        estimate_difference(MAE, true, np.zeros((2, 10)), np.zeros((3, 10)))
    with pytest.raises(EchoAugmentError, match=r"1\.5"):
        estimate_arm(MAE, true, np.zeros((2, 10)), level=1.5)
