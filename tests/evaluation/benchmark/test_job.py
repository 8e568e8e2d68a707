"""The benchmark from end to end, small, with a stand-in for the generator."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from fakes.benchmark import StandIn, configure, load
from PIL import Image

from echo_augment.augmentor.data import read_table
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.evaluation.benchmark import caches, trainings
from echo_augment.evaluation.benchmark.design import Design
from echo_augment.evaluation.benchmark.job import run_benchmark, run_share
from echo_augment.evaluation.benchmark.level import open_design
from echo_augment.evaluation.report.content import BenchmarkReport
from echo_augment.training_recipes.training.subsets import choose_labelled


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    settings = configure(f"out={out}", f"data.root={root}", "labels=[3]", "arm=[real,synthetic,oracle]")
    return settings, out, run_benchmark(settings, "benchmark", load)


def test_the_report_is_what_is_written_and_has_finite_figures(done):
    _, out, report = done
    assert BenchmarkReport.from_json(json.loads((out / "report.json").read_text())).to_json() == report.to_json()
    assert list(report.arms) == ["real", "synthetic", "oracle"]
    assert report.seeds == (0, 1)
    assert report.label_fraction == pytest.approx(3 / 7)
    for arm in report.arms.values():
        assert len(arm["mae"].per_seed) == 2
        assert arm["mae"].ci[0] <= arm["mae"].mean <= arm["mae"].ci[1]
    assert (report.fingerprint, report.steps) == ("stand-in", 4)
    assert report.verdict


def test_each_cache_knows_the_labels_of_its_own_subset_only(done, root):
    _, out, _ = done
    train = [row.name for row in read_table(root).split("train")]
    for seed in (0, 1):
        labelled = set(choose_labelled(train, 3, seed))
        for kind in ("synthetic", "oracle"):
            clips = list(ClipStore(out / "caches" / f"{kind}-labels-3-seed{seed}"))
            assert len(clips) == 4
            assert {clip.provenance.motion_donor for clip in clips} <= labelled
            assert {clip.provenance.appearance_donor for clip in clips} <= set(train)


def test_the_page_stands_alone_and_says_what_the_data_are(done):
    _, out, report = done
    page = (out / "report.html").read_text()
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert page.count("data:image/png;base64,") == 5
    assert page.count("data:image/gif;base64,") == 1
    assert "Phantom data, not EchoNet-Dynamic" in page
    assert report.verdict.split(":")[0] in page
    assert "echo-augment benchmark" in page
    assert 'name="viewport"' in page
    with Image.open(out / "contact_sheet.png") as sheet:
        assert np.asarray(sheet).std() > 10


def test_the_markdown_has_the_same_tables_and_its_pictures_beside_it(done):
    _, out, report = done
    text = (out / "report.md").read_text()
    assert report.verdict in text
    assert "| synthetic against real |" in text
    pictures = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(pictures) == 6
    assert all((out / name).stat().st_size > 2000 for name in pictures)
    with Image.open(out / "figures" / "beating.gif") as beat:
        assert beat.n_frames == 16
    assert "```bash\necho-augment benchmark" in text


def test_the_report_says_who_is_told_apart_and_whether_the_scale_is_right(done):
    _, out, report = done
    for arm in report.arms.values():
        assert arm.calibration is not None
        assert sum(part.videos for part in arm.by_range) == report.videos.test
        assert 0 <= arm["wrong_side_50"].mean <= 1
    mae = report.contrast("synthetic-real", "mae")
    assert mae.p_holm == mae.p
    page = (out / "report.html").read_text()
    assert "AUROC, EF &lt; 50" in page
    assert "put on the wrong side of EF 50 %" in page


def test_a_rerun_trains_only_what_is_missing_and_gives_the_same_figures(done, tmp_path):
    settings, out, report = done
    again = tmp_path / "again"
    shutil.copytree(out, again)
    (kept,) = again.glob("runs/*/real-seed0/result.json")
    shutil.rmtree(again / "runs" / kept.parts[-3] / "oracle-seed1")
    before = kept.stat().st_mtime_ns
    second = run_benchmark(replace(settings, out=str(again)), "benchmark", load)
    assert kept.stat().st_mtime_ns == before
    assert (second.arms, second.contrasts) == (report.arms, report.contrasts)


@pytest.fixture
def killed(root, tmp_path, monkeypatch):
    """A benchmark that was killed when its second number of labels began."""
    settings = configure(f"out={tmp_path}", f"data.root={root}", "labels=[2,3]", "arm=[real]", "seeds=[0]")
    train = trainings.train_ef

    def dies(run, *given, **more):
        if run.labels == 3:
            raise KeyboardInterrupt
        return train(run, *given, **more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainings, "train_ef", dies)
        run_benchmark(settings, "benchmark", load)
    return settings, BenchmarkReport.from_json(json.loads((tmp_path / "report.json").read_text()))


def test_one_number_of_labels_has_its_report_before_the_next_begins(killed, tmp_path):
    _, left = killed
    assert (left.labelled, left.trainings.count) == (2, 1)
    assert "labels=[3] are still to come" in left.notes[-1]
    assert "still to come" in (tmp_path / "report.md").read_text()


def test_a_killed_benchmark_goes_on_with_the_next_number_of_labels(killed):
    settings, left = killed
    report = run_benchmark(settings, "benchmark", load)
    assert [level.labelled for level in report.fractions] == [2, 3]
    assert (report.notes, report.trainings.count) == ((), 2)
    assert {name: arm.to_json() for name, arm in report.arms.items()} == {
        name: arm.to_json() for name, arm in left.arms.items()
    }


def test_a_folder_of_another_benchmark_is_refused(done):
    settings, _, _ = done
    other = replace(settings, trainer=replace(settings.trainer, pad=4))
    with pytest.raises(EchoAugmentError, match="other settings"):
        run_benchmark(other, "benchmark", load)


def test_a_test_heart_under_another_name_among_the_donors_is_refused(root, tmp_path):
    bad = tmp_path / "bad"
    shutil.copytree(root, bad)
    table = bad / "FileList.csv"
    rows = list(csv.reader(table.open()))
    victim = next(row for row in rows if row[-1] == "TEST")
    shutil.copy(bad / "Videos" / f"{victim[0]}.avi", bad / "Videos" / "COPY.avi")
    with table.open("a") as file:
        file.write(",".join(["COPY", *victim[1:-1], "TRAIN"]) + "\n")
    with pytest.raises(EchoAugmentError, match=f"COPY shows the same video as held-out {victim[0]}"):
        run_benchmark(configure(f"out={tmp_path / 'o'}", f"data.root={bad}"), "benchmark", load)


def test_side_by_side_gives_the_figures_of_one_after_the_other(done, tmp_path):
    settings, out, report = done
    shutil.copytree(out / "caches", tmp_path / "caches")
    for name in ("real-seed0", "real-seed1", "oracle-seed0", "synthetic-seed0"):
        shutil.copytree(out / "runs" / "labels-3" / name, tmp_path / "runs" / "labels-3" / name)
    again = run_benchmark(replace(settings, out=str(tmp_path), workers=2), "benchmark", load)
    assert again.arms == report.arms


def test_processes_that_share_a_benchmark_leave_nothing_to_train(done, tmp_path, capsys):
    """Also the same benchmark twice, from nothing: clips and figures are those of one process."""
    settings, out, report = done
    settings = replace(settings, out=str(tmp_path))
    assert [run_share(settings, (rank, 3), load) for rank in (1, 0, 2)] == [3, 3, 0], "two seeds, three arms"
    assert "rank 1 of 3: its 3 trainings are done" in capsys.readouterr().out
    assert not (tmp_path / "report.json").exists()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/result.json")}
    again = run_benchmark(settings, "benchmark", load)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*/result.json")} == before
    assert len(before) == 6
    assert (again.arms, again.contrasts) == (report.arms, report.contrasts)
    for folder in sorted((out / "caches").iterdir()):
        ours, theirs = (list(ClipStore(place / "caches" / folder.name)) for place in (tmp_path, out))
        assert all(np.array_equal(one.frames, other.frames) for one, other in zip(ours, theirs, strict=True))


def test_generators_are_dealt_to_the_seeds_and_their_number_is_in_the_intervals(root, tmp_path, monkeypatch):
    """Four seeds, two generators: seeds 0 and 2 have clips of one, 1 and 3 of the other; the arm real has neither."""
    trained = []

    def train(settings, root, out, seed=None):
        trained.append(seed)
        return out / f"generator-seed{seed}" / "generator"

    def load_one(weights, root, *, motion_donors, **_):
        made = StandIn(root, motion_donors)
        made.fingerprint = weights.split("seed")[1][0]
        return made

    monkeypatch.setattr(caches, "own_generator", train)
    given = [f"out={tmp_path}", f"data.root={root}", "labels=[3]", "seeds=[0,1,2,3]", "arm=[real,synthetic]"]
    settings = configure(*given, "generator.weights=null", "generator.seeds=[5,7]")
    shares = [run_share(settings, (rank, 2), load_one) for rank in (0, 1)]
    assert shares == [4, 4], "each process trains the generators of its seeds, or waits for the other"
    assert trained == [5, 7]
    report = run_benchmark(settings, "benchmark", load_one)
    made = [(one.seed, one.generator, one.trained_on) for one in report.made]
    assert made == [(5, "own", "the TRAIN videos of this run"), (7, "own", "the TRAIN videos of this run")]
    assert report.fingerprint == "5, 7"
    prints = [ClipStore(tmp_path / "caches" / f"synthetic-labels-3-seed{seed}").fingerprint for seed in range(4)]
    assert prints == ["5", "7", "5", "7"]
    design = open_design(settings, (0, 1))[1]
    assert design.dealt() == {"synthetic": [0, 1, 0, 1]}
    monkeypatch.setattr(Design, "dealt", lambda self: {})
    alone = run_benchmark(settings, "benchmark", load_one)
    assert alone.arms["real"] == report.arms["real"]
    assert alone.arms["synthetic"]["mae"].ci != report.arms["synthetic"]["mae"].ci


def test_further_videos_of_the_generator_that_are_held_out_here_are_refused_before_any_training(root, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(root, other)
    table = other / "FileList.csv"
    table.write_text(table.read_text().replace(",TEST", ",TRAIN"))
    given = [f"out={tmp_path / 'o'}", f"data.root={root}", "generator.weights=null", f"generator.also=[{other}]"]
    with pytest.raises(EchoAugmentError, match="held-out"):
        open_design(configure(*given), (0, 1))
