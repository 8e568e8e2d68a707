"""A set's settings: what its folder says, other formats, recordings and labels with errors."""

import json
from pathlib import Path

import numpy as np
import pytest

from echo_augment.augmentor.data.phantom.sets import PhantomSet, check_format, claim
from echo_augment.cache.errors import EchoAugmentError


def test_a_set_of_format_2_says_what_it_always_said():
    found = PhantomSet(n=3, format=2).to_json()
    assert found == {"n": 3, "seed": 0, "frames": 100, "fps": 50, "splits": [0.75, 0.125, 0.125], "format": 2}
    later = PhantomSet(n=3, population="B", label_noise=4.0).to_json()
    assert (later["format"], later["population"], later["label_noise"]) == (3, "B", 4.0)


@pytest.mark.parametrize("settings", [{"format": 2}, {"population": "B"}, {"recording": "table"}, {"label_noise": 1.0}])
def test_sets_that_differ_do_not_share_a_folder(tmp_path: Path, settings: dict[str, object]):
    claim(tmp_path, PhantomSet(n=3))
    claim(tmp_path, PhantomSet(n=3))
    with pytest.raises(EchoAugmentError, match="other settings"):
        claim(tmp_path, PhantomSet(n=3, **settings))


@pytest.mark.parametrize(("number", "known"), [(1, False), (2, True), (3, True), (4, False)])
def test_formats_that_can_be_drawn_are_read(tmp_path: Path, number: int, known: bool):
    (tmp_path / "phantom_settings.json").write_text(json.dumps({"format": number}))
    if known:
        check_format(tmp_path)
    else:
        with pytest.raises(EchoAugmentError, match=f"format {number}; this version draws formats 2 and 3"):
            check_format(tmp_path)


def test_recordings_are_fixed_or_drawn():
    assert PhantomSet(n=2, frames=40).recorded(7) == (40, 50)
    drawn = [PhantomSet(n=2, recording="table").recorded(seed) for seed in range(20)]
    assert len(set(drawn)) > 10 and drawn == [PhantomSet(n=2, recording="table").recorded(seed) for seed in range(20)]


def test_labels_have_the_error_that_was_asked_for():
    noisy = PhantomSet(n=2, label_noise=4.0)
    errors = np.array([noisy.noisy_ef(seed, 50.0) - 50 for seed in range(2000)])
    assert errors.std() == pytest.approx(4, abs=0.3) and abs(errors.mean()) < 0.3
    assert PhantomSet(n=2).noisy_ef(3, 50.0) == 50


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"format": 4}, "format"), ({"population": "C"}, "population"), ({"recording": "film"}, "recording"),
     ({"label_noise": -1.0}, "label_noise"), ({"format": 2, "population": "B"}, "no phantoms of format 2")],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, object], message: str):
    with pytest.raises(EchoAugmentError, match=message):
        PhantomSet(n=2, **wrong)
