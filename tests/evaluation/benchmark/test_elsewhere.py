"""Nets of a benchmark on TEST videos of other data sets, and judged by noisy labels of the own ones."""

import csv
import json
import shutil

import numpy as np
import pytest
from fakes.benchmark import configure, load

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.training_videos import TrainingVideos
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.ef_task import EFTask
from echo_augment.evaluation.benchmark.elsewhere import NOISY, check_columns
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.evaluation.benchmark.level import open_design

PRIMARY = (
    "primary=[{number:2,question:On B?,pair:synthetic-real,labels:3,test:B},"
    "{number:1,question:At home?,pair:synthetic-real,labels:3},"
    "{number:3,question:Where EF is low?,pair:synthetic-real,labels:3,high:50}]"
)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return write_phantoms(
        tmp_path_factory.mktemp("b"), 12, num_frames=40, workers=1, splits=(0.1, 0.1, 0.8), population="B", fps=40
    )


@pytest.fixture(scope="module")
def noisy_root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    return write_phantoms(folder, 20, num_frames=36, workers=1, splits=(0.4, 0.1, 0.5), label_noise=4.0)


@pytest.fixture(scope="module")
def done(noisy_root, other, tmp_path_factory):
    out = tmp_path_factory.mktemp("elsewhere")
    given = [f"out={out}", f"data.root={noisy_root}", "labels=[3]", "arm=[real,synthetic]", f"+test.B={other}"]
    settings = configure(*given, PRIMARY)
    return settings, out, run_benchmark(settings, "benchmark", load)


def test_every_net_is_tested_on_the_other_set_once(done, other):
    settings, out, report = done
    names = {row.name for row in read_table(other).split("test")}
    [path, *_] = sorted(out.glob("runs/*/real-seed0/test-B.json"))
    told = json.loads(path.read_text())
    assert set(told["predictions"]) == names
    assert len(list(out.glob("runs/*/*/test-B.json"))) == 4
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/test-B.json")}
    again = run_benchmark(settings, "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.tests == report.tests
    column = next(one for one in report.tests if one.name == "B")
    [found] = column.levels
    errors = [abs(true - drawn) for true, drawn in told["predictions"].values()]
    assert found.arms["real"].per_seed[0] == pytest.approx(np.mean(errors))
    assert found.videos == len(names)
    assert set(found.contrasts) == {"synthetic-real"}


def test_own_test_videos_are_judged_by_true_and_by_equally_noisy_ef(done, noisy_root):
    _, out, report = done
    column = next(one for one in report.tests if one.name == NOISY)
    with (noisy_root / "true_ef.csv").open(newline="") as file:
        rows = {row["FileName"]: row for row in csv.DictReader(file)}
    result = json.loads(next(out.glob("runs/*/real-seed0/result.json")).read_text())
    for name, (true, _) in result["predictions"].items():
        assert true == pytest.approx(float(rows[name]["EF"]), abs=1e-6), "TEST's own EF is the true one"
    errors = [abs(float(rows[name]["NoisyEF"]) - drawn) for name, (_, drawn) in result["predictions"].items()]
    assert column.levels[0].arms["real"].per_seed[0] == pytest.approx(np.mean(errors))


def test_declared_questions_are_corrected_among_themselves_and_the_page_calls_the_rest_exploratory(done):
    _, out, report = done
    assert [one.number for one in report.primary] == [1, 2, 3]
    home, elsewhere, low = report.primary
    assert home.contrast.diff == report.contrasts["synthetic-real"]["mae"].diff
    assert elsewhere.contrast.diff == report.tests[0].levels[0].contrasts["synthetic-real"].diff
    assert low.videos == sum(part.videos for part in report.arms["real"].by_range if part.high <= 50)
    tested = [one for one in report.primary if one.contrast.p is not None]
    assert len(tested) >= 2
    assert all(one.contrast.tests == len(tested) and one.contrast.p_holm >= one.contrast.p for one in tested)
    page = (out / "report.md").read_text()
    assert "## The questions that were declared before" in page
    assert "is exploratory" in page
    assert "## The same nets, B" in page and f"## The same nets, {NOISY}" in page
    assert page.count("selected on the TEST videos of ") == 2, "TRAIN of the own set was trained on"


def test_a_set_of_another_size_and_frame_rate_is_read_as_the_net_was_trained(done, noisy_root):
    """On the own TEST videos, which need no fitting, the same net says nearly the same as in its training."""
    settings, out, _ = done
    folder = next(out.glob("runs/*/real-seed0"))
    found = EFTask().test(folder, open_design(settings, (0, 1))[1].data, "cpu")
    told = json.loads((folder / "result.json").read_text())["predictions"]
    assert set(found) == set(told)
    drawn = np.array([[found[name][1], told[name][1]] for name in told])
    assert np.abs(drawn[:, 0] - drawn[:, 1]).max() < 3


@pytest.mark.parametrize("split", ["TRAIN", "VAL"])
def test_test_videos_that_were_trained_or_selected_on_here_are_refused(noisy_root, tmp_path, split):
    copy = tmp_path / "copy"
    shutil.copytree(noisy_root, copy)
    table = copy / "FileList.csv"
    table.write_text(table.read_text().replace(",TEST", ",OTHER").replace(f",{split}", ",TEST"))
    given = [f"out={tmp_path / 'o'}", f"data.root={noisy_root}", "labels=[3]", "arm=[real]", f"+test.again={copy}"]
    with pytest.raises(EchoAugmentError, match="held-out"):
        check_columns(open_design(configure(*given), (0, 1))[1])


def test_test_videos_that_trained_the_generator_that_is_told_an_ef_are_refused(noisy_root, other, tmp_path):
    TrainingVideos.of([row.path for row in read_table(other).split("test")]).write(tmp_path)
    given = [f"out={tmp_path / 'o'}", f"data.root={noisy_root}", "labels=[3]", f"+test.B={other}"]
    asked = [*given, f"generator.ef_conditioned={tmp_path}"]
    assert list(check_columns(open_design(configure(*asked, "arm=[real]"), (0, 1))[1])) == ["B"], "nobody uses it"
    with pytest.raises(EchoAugmentError, match=f"a TEST video trained the generator {tmp_path}"):
        check_columns(open_design(configure(*asked, "arm=[real,ef_conditioned]"), (0, 1))[1])
