"""Pictures of a benchmark's report: donors and clip side by side, still and moving."""

import io

import numpy as np
import pytest
from PIL import Image

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.cache import ClipStore, StoreWriter, make_plan
from echo_augment.evaluation.report.frames import beating, clip_pair, comparison, contact_sheet, labelled_pair
from echo_augment.training_recipes.arms.oracle import OracleGenerator


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = write_phantoms(
        tmp_path_factory.mktemp("frames"), 3, seed=5, num_frames=70, workers=1, splits=(1.0, 0.0, 0.0), format=2
    )
    oracle, table = OracleGenerator.of(root), read_table(root)
    plan = make_plan(oracle.motion_donors, oracle.appearance_donors, 3, reserve=0.0, fingerprint=oracle.fingerprint)
    with StoreWriter(root / "cache", fingerprint=oracle.fingerprint) as writer:
        for clip in oracle(plan.lines):
            writer.add(clip)
    return table, ClipStore(root / "cache"), oracle


def width(data):
    with Image.open(io.BytesIO(data)) as picture:
        return picture.width


def test_a_row_has_both_donors_the_clip_and_its_counterfactual(made):
    table, store, oracle = made
    with_exact, without = (width(comparison(table, store, one, count=2)) for one in (oracle, None))
    assert with_exact == 7 * 224 + 6 * 4 and without == 5 * 224 + 4 * 4


def test_the_film_is_as_long_as_a_clip(made):
    table, store, _ = made
    with Image.open(io.BytesIO(beating(table, store, None, count=1))) as film:
        assert film.n_frames == len(store[0].frames) and film.width == 3 * 224 + 2 * 4


def test_the_sheet_is_written_and_returned(made, tmp_path):
    table, store, _ = made
    data = contact_sheet(table, store, tmp_path / "sheet.png", clips=2, columns=4)
    assert (tmp_path / "sheet.png").read_bytes() == data and width(data) == 4 * 224


def test_ed_and_es_frames_are_the_labelled_ones(made):
    table, store, _ = made
    row = table.rows[0]
    assert labelled_pair(table, row.name).shape == (2, 112, 112)
    clip = store[0]
    assert clip.ed_frame >= 0 and np.array_equal(clip_pair(clip), clip.frames[[clip.ed_frame, clip.es_frame]])
