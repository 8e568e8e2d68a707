"""The document on forms of motion says what the reports say, and refuses what cannot be compared."""

import json

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.studies import motion_forms


def reports(curve, seconds, *, pairs=200):
    row = {"r2": 0.92, "mae": 2.6, "motion_weight": 0.96, "appearance_weight": 0.0}
    stages = {name: {"seconds": value, "steps": value // 2} for name, value in seconds.items()}
    train = {"hearts": 855, "stages": {"codec": {"seconds": 999.0}, "mafe": {"seconds": 600.0, "steps": 700}, **stages}}
    rows = {"counterfactual": row, "codec": row | {"psnr": 22.8, "ssim": 0.66}}
    points = [
        {"steps": steps, "r2": r2, "mae": 5.0, "motion_weight": 0.8, "appearance_weight": 0.1}
        | {"psnr": 20.0, "ssim": 0.7, "seconds": 0.2}
        for steps, r2 in curve
    ]
    return train, {"pairs": pairs, "seeds": [1], "reader": {"r2": 0.94}, "rows": rows, "curve": points}


def put(folder, form, pair):
    for path, report in zip(("report.json", "fidelity/report.json"), pair, strict=True):
        (folder / form / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / form / path).write_text(json.dumps(report))


@pytest.fixture
def runs(tmp_path):
    put(tmp_path, "transport", reports([(0, 0.88), (1, 0.86)], {"transport": 800, "denoiser": 1400}))
    put(tmp_path, "vector", reports([(1, -0.5), (4, 0.11)], {"denoiser": 2200}))
    return tmp_path


def test_the_best_steps_of_every_form_and_its_cost_stand_in_the_table(runs, capsys):
    assert motion_forms.main([str(runs), str(runs / "docs")]) == 0
    text = (runs / "docs" / "motion-forms.md").read_text()
    assert "best first: transport R2 0.88, vector R2 0.11. Training cost about equal." in text
    assert (
        "| transport | 2200 | transport 400, denoiser 700 | 0 | 0.88 | 5.0 | 0.80 / 0.10 | 20.0 | 0.70 | 0.20 |" in text
    )
    assert "| vector | 2200 | denoiser 1100 | 4 | 0.11 |" in text and "| vector | 1 | -0.50 |" in text
    assert set(json.loads((runs / "docs" / "motion-forms.json").read_text())) == {"transport", "vector"}
    assert "855 phantoms. `vector` and `mafe` alone read MAFE, which had 700 steps" in text
    assert "motion-forms.md" in capsys.readouterr().out


def test_unequal_costs_are_called_so(runs):
    put(runs, "mafe", reports([(1, 0.3)], {"denoiser": 3000}))
    motion_forms.write(runs, runs / "docs")
    assert "Training cost unequal (2200 to 3000 s)" in (runs / "docs" / "motion-forms.md").read_text()


def test_forms_measured_on_other_pairs_are_refused(runs):
    put(runs, "flow", reports([(1, 0.3)], {"denoiser": 2200}, pairs=100))
    with pytest.raises(EchoAugmentError, match="measured differently"):
        motion_forms.write(runs, runs / "docs")
    assert not (runs / "docs").exists()


def test_a_form_alone_or_without_a_curve_is_refused(tmp_path, capsys):
    put(tmp_path, "flow", reports([], {"denoiser": 2200}))
    assert motion_forms.main([str(tmp_path), str(tmp_path / "docs")]) == 1
    assert "reports of 1 generators" in capsys.readouterr().err
    put(tmp_path, "mafe", reports([(1, 0.3)], {"denoiser": 2200}))
    with pytest.raises(EchoAugmentError, match=r"the form flow was measured at one number of steps.*curve="):
        motion_forms.write(tmp_path, tmp_path / "docs")
    assert motion_forms.main([]) == 2


def test_a_report_of_other_stages_alone_is_refused(runs):
    put(runs, "flow", reports([(1, 0.3)], {"latents": 60}))
    with pytest.raises(EchoAugmentError, match=r"flow/report.json tells of no training"):
        motion_forms.write(runs, runs / "docs")
