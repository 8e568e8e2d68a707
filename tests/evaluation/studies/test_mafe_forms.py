"""The document on the forms of MAFE's losses says what the reports say."""

import json

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import mafe_forms


def put(folder, form, psnr, r2):
    row = {"r2": r2, "mae": 5.0, "motion_weight": 0.8, "appearance_weight": 0.1, "psnr": 20.0, "ssim": 0.7}
    mafe = {"seconds": 300.0, "steps": 700, "watched_psnr": psnr, "watched_ssim": 0.8, "blend_psnr": 20.0}
    train = {"config": {}, "hearts": 855, "stages": {"mafe": mafe, "transport": {"steps": 900}}}
    rows = {"generated": row, "codec": row | {"r2": 0.92}}
    measured = {"pairs": 60, "seeds": [1], "reader": {"r2": 0.94}, "rows": rows}
    for path, report in (("report.json", train), ("fidelity/report.json", measured)):
        (folder / form / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / form / path).write_text(json.dumps(report))


def test_forms_stand_in_their_order_and_missing_ones_are_left_out(tmp_path):
    put(tmp_path, "flow-pair", 23.3, 0.61)
    put(tmp_path, "ours", 24.6, 0.72)
    put(tmp_path, "other", 30.0, 0.99)
    assert mafe_forms.main([str(tmp_path), str(tmp_path / "docs")]) == 0
    text = (tmp_path / "docs" / "mafe-forms.md").read_text()
    assert (
        "best first: ours 24.6 dB, flow-pair 23.3 dB. EF carried, best first: ours R2 0.72, flow-pair R2 0.61." in text
    )
    assert "One training of each: the order shows no form to be better" in text
    assert text.index("| ours | 300 | 24.6 |") < text.index("| flow-pair | 300 | 23.3 |")
    assert "MAFE had 700 steps, the transport that reads its flow 900, on 855 phantoms" in text
    assert "other" not in json.loads((tmp_path / "docs" / "mafe-forms.json").read_text())


def test_one_form_alone_is_refused(tmp_path):
    put(tmp_path, "ours", 24.6, 0.72)
    with pytest.raises(EchoAugmentError, match="reports of 1 generators"):
        mafe_forms.write(tmp_path, tmp_path / "docs")
