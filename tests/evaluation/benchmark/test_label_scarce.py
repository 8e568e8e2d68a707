"""The published label-scarce protocol, dry, on phantoms."""

import csv
import shutil

import pytest
from fakes.benchmark import configure, load

from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark.job import run_benchmark


def test_the_dry_run_refuses_a_test_heart_under_another_name_among_the_donors(root, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(root, bad)
    table = bad / "FileList.csv"
    victim = next(row for row in csv.reader(table.open()) if row[-1] == "TEST")
    shutil.copy(bad / "Videos" / f"{victim[0]}.avi", bad / "Videos" / "STRANGER.avi")
    with table.open("a") as file:
        file.write(",".join(["STRANGER", *victim[1:-1], "TRAIN"]) + "\n")
    settings = configure("experiment=echonet_label_scarce_dry", f"out={tmp_path / 'o'}", f"data.root={bad}")
    with pytest.raises(EchoAugmentError, match=f"STRANGER shows the same video as held-out {victim[0]}"):
        run_benchmark(settings, "benchmark", load)
    assert not (tmp_path / "o" / "runs").exists()


@pytest.mark.slow
def test_the_dry_run_of_the_published_protocol(tmp_path):
    settings = configure("experiment=echonet_label_scarce_dry", f"out={tmp_path}", "trainer.steps=2")
    report = run_benchmark(settings, "benchmark")
    assert [level.label_fraction for level in report.fractions] == pytest.approx([1 / 16, 1 / 8, 1 / 4], abs=0.01)
    mae = report.contrast("synthetic-real", "mae")
    assert mae.p_holm >= mae.p
    text = (tmp_path / "report.md").read_text()
    assert "UCVME" in text and "5.77" in text
    assert len(ClipStore(next((tmp_path / "caches").iterdir()))) > 0
