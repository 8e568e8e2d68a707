"""Appearances: two populations that differ in the scanner, not in the heart."""

import numpy as np

from echo_augment.augmentor.data.phantom.views import OTHER_SCANNER, POPULATIONS, VIEW, sample_appearance


def drawn(population: str) -> dict[str, np.ndarray]:
    views = [sample_appearance(np.random.default_rng(seed), POPULATIONS[population]).to_json() for seed in range(200)]
    return {name: np.array([view[name] for view in views]) for name in views[0]}


def test_population_b_is_another_scanner_on_the_same_hearts():
    a, b = drawn("A"), drawn("B")
    for name in ("psf_lateral", "psf_axial", "knee", "dynamic_range"):
        assert b[name].mean() > a[name].mean() + a[name].std(), name
    assert b["half_angle"].mean() < a["half_angle"].mean() - 2 * a["half_angle"].std()
    for name in set(VIEW) - set(OTHER_SCANNER) - {"speckle_seed", "marker"}:
        assert abs(a[name].mean() - b[name].mean()) < 0.35 * a[name].std() + 1e-9, name


def test_format_2_has_nothing_that_came_later():
    view = sample_appearance(np.random.default_rng(3))
    assert not any((view.elevation, view.shadow_db, view.side_lobes, view.overlay, view.knee, view.smoothing))
