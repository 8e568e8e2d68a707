"""The document on MAFE's losses says what the reports say, and refuses what cannot be compared."""

import json

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import mafe_losses


def put(folder, name, losses, psnr, r2, *, pairs=100):
    row = {"r2": r2, "mae": 5.0, "motion_weight": 0.8, "appearance_weight": 0.1, "psnr": 20.0, "ssim": 0.7}
    mafe = {
        "seconds": 619.1,
        "steps": 700,
        "watched_psnr": psnr,
        "watched_ssim": 0.8,
        "blend_psnr": 20.0,
        "blend_ssim": 0.6,
    }
    train = {"config": {"losses": losses}, "hearts": 855, "stages": {"mafe": mafe, "transport": {"steps": 900}}}
    rows = {"generated": row, "codec": row | {"r2": 0.92}}
    measured = {"pairs": pairs, "seeds": [1], "reader": {"r2": 0.94}, "rows": rows}
    for path, report in (("report.json", train), ("fidelity/report.json", measured)):
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(json.dumps(report))


@pytest.fixture
def runs(tmp_path):
    put(tmp_path, "0", "both", 23.3, 0.61)
    put(tmp_path, "1", "interp", 24.6, 0.42)
    return tmp_path


def test_every_row_stands_in_the_table_in_the_order_of_the_losses(runs):
    assert mafe_losses.main([str(runs), str(runs / "docs")]) == 0
    text = (runs / "docs" / "mafe-losses.md").read_text()
    assert "best first: interp 24.6 dB, both 23.3 dB. EF carried, best first: both R2 0.61, interp R2 0.42." in text
    assert "(MAFE 700 steps, transport 900, 855 phantoms)" in text
    first = text.index("| interp | 619 | 24.6 | 0.80 | 0.42 | 5.0 | 0.80 / 0.10 | 20.0 | 0.70 |")
    assert first < text.index("| both | 619 | 23.3 |") < text.index("| mean of both frames | – | 20.0 | 0.60 |")
    assert list(json.loads((runs / "docs" / "mafe-losses.json").read_text())) == ["interp", "both"]


def test_rows_measured_on_other_pairs_are_refused(runs):
    put(runs, "2", "flow", 23.0, 0.5, pairs=50)
    with pytest.raises(EchoAugmentError, match="measured differently"):
        mafe_losses.write(runs, runs / "docs")


def test_two_of_a_kind_or_one_alone_are_refused(runs, tmp_path):
    put(runs, "2", "both", 23.0, 0.5)
    with pytest.raises(EchoAugmentError, match="two runs have losses=both"):
        mafe_losses.write(runs, runs / "docs")
    put(tmp_path / "alone", "0", "both", 23.0, 0.5)
    put(tmp_path / "alone", "1", None, 23.0, 0.5)
    with pytest.raises(EchoAugmentError, match="reports of 1 generators"):
        mafe_losses.write(tmp_path / "alone", tmp_path / "docs")
