"""An import as a whole: the layout, no names in it, going on after a kill, copies, splits by patient."""

import csv
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import pytest

from echo_augment.augmentor.data import read_table, read_video, write_video
from echo_augment.augmentor.data.importers import ImportPlan, import_clips, importing, report_of
from echo_augment.cache.errors import EchoAugmentError
from tests.fakes.camus import write_camus
from tests.fakes.cines import beating, forms, header, save, with_letters

NAMES = ("DOE_JANE", "DOE^JANE", "ELSEWHERE", "Q77Q", "secret_ward")
PLAN = ImportPlan(source="dicom")


def cine(path, patient="0012345", seed=0, **tags):
    luma = with_letters(beating(20, 120, 160, seed))
    dataset = header(luma.shape, PatientID=patient, **tags)
    dataset.PixelData = luma.tobytes()
    return save(dataset, path)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Eight cines of six patients, a copy under another name, and three files that are none."""
    root = tmp_path_factory.mktemp("secret_ward")
    for number in range(8):
        cine(root / f"DOE_JANE_{number}.dcm", f"P{min(number, 5)}", number)
    (root / "copy.dcm").write_bytes((root / "DOE_JANE_0.dcm").read_bytes())
    cine(root / "ct.dcm", "DOE", Modality="CT")
    (root / "torn.dcm").write_bytes((root / "DOE_JANE_1.dcm").read_bytes()[:3000])
    (root / "notes.txt").write_text("DOE JANE")
    return root


def run(scans, out, plan=PLAN, pool=False, **settings):
    """Import in this process, which saves the start of another, or in a pool as users do."""
    settings = {"key": out.parent / "key", "workers": 2} | settings
    with nullcontext() if pool else patch(f"{importing.__name__}.each", in_process):
        return import_clips([scans], out, plan, **settings)


def in_process(worker, items, workers):
    return ((item, worker(item)) for item in items)


def rows(out):
    with (out / "FileList.csv").open() as file:
        return list(csv.DictReader(file))


def tables(out):
    """Everything that an import's result consists of."""
    names = [
        "FileList.csv",
        "VolumeTracings.csv",
        *sorted(f"Videos/{path.name}" for path in (out / "Videos").iterdir()),
    ]
    return {name: (out / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def first(scans, tmp_path_factory):
    """An import, its figures, and what it consists of, before a test gives it labels."""
    out = tmp_path_factory.mktemp("whole") / "set"
    return out, run(scans, out), tables(out)


@pytest.fixture(scope="module")
def done(first):
    return first[:2]


def test_the_layout_is_one_that_the_reader_reads(done):
    out, imported = done
    report = report_of(imported)
    assert (
        report.clips == 8 and report.patients == 6 and report.left_out == {"damaged": 1, "modality": 1, "duplicate": 1}
    )
    table = read_table(out)
    assert len(table.rows) == 8 and all(read_video(row.path)[0].shape == (20, 112, 112) for row in table.rows)
    assert all(row.fps == pytest.approx(30, abs=0.01) for row in table.rows)


def test_patients_are_in_one_split(done):
    out, _ = done
    split = {}
    for row in rows(out):
        assert split.setdefault(row["Patient"], row["Split"]) == row["Split"]
    assert len(split) == 6 and set(split.values()) == {"TRAIN", "VAL", "TEST"}


def test_no_name_is_in_the_data_set(done, scans):
    out, imported = done
    for path in out.rglob("*"):
        text = path.name + (path.read_bytes().decode("latin-1") if path.is_file() else "")
        assert not [name for name in (*NAMES, scans.name, str(scans)) if name in text], path
    links = imported.links.read_text()
    assert imported.links.parent == out.parent and "DOE_JANE_0.dcm" in links and str(scans) in links
    key = imported.key.read_text().strip()
    assert not any(key.encode() in path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_a_second_run_does_nothing_again_and_changes_nothing(done, scans):
    out, _ = done
    before, times = tables(out), {path: path.stat().st_mtime_ns for path in (out / "Videos").iterdir()}
    again = run(scans, out)
    assert again.new == 0 and again.before == 11 and tables(out) == before
    assert {path: path.stat().st_mtime_ns for path in (out / "Videos").iterdir()} == times


def test_labels_may_be_given_later(done, scans):
    out, _ = done
    table = out.parent / "labels.csv"
    table.write_text("PatientID,EF,EDV\n" + "".join(f"P{n},{40 + n},90\n" for n in range(6)) + "P99,60,90\n")
    again = run(scans, out, labels=table)
    report = report_of(again)
    assert again.new == 0 and (report.with_ef, report.label_rows_used, report.label_rows) == (8, 6, 7)
    assert {row["EF"] for row in rows(out)} == {str(40 + n) for n in range(6)}
    table.write_text("PatientID,Split\nP0,TRAIN\nP1,TEST\n")
    split = {row["Patient"]: row["Split"] for row in rows(out)}
    run(scans, out, labels=table)
    changed = {row["Patient"]: row["Split"] for row in rows(out)}
    assert len({one for one in split if changed[one] != split[one]}) <= 2 and "TEST" in changed.values()


def test_a_patient_in_two_splits_stops_it(scans, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("FileName,Split\nDOE_JANE_5,TRAIN\nDOE_JANE_6,TEST\n")
    with pytest.raises(EchoAugmentError, match=r"is in T.* and in T"):
        run(scans, tmp_path / "set", labels=table)


def test_videos_of_one_patient_by_the_table(tmp_path):
    for number in range(6):
        write_video(tmp_path / "films" / f"v{number}.avi", beating(20, 120, 160, number), 30)
    table = tmp_path / "labels.csv"
    table.write_text("FileName,Patient,EF\n" + "".join(f"v{n}.avi,DOE {n // 3},50\n" for n in range(6)))
    settings = {"plan": ImportPlan(source="video"), "labels": table, "shares": (0.5, 0.5, 0)}
    report = report_of(run(tmp_path / "films", tmp_path / "set", **settings))
    assert report.patients == 2 and report.splits == {"TRAIN": 3, "VAL": 3} and report.with_ef == 6


def test_other_settings_read_again(scans, tmp_path):
    out = tmp_path / "set"
    run(scans, out)
    before = tables(out)
    smaller = run(scans, out, plan=ImportPlan(source="dicom", image_size=64))
    assert smaller.new == 11 and {row["FrameWidth"] for row in rows(out)} == {"64"}
    back = run(scans, out)
    assert back.new == 11 and tables(out).keys() == before.keys()
    assert all(tables(out)[name] == content for name, content in before.items())
    assert {row["FrameWidth"] for row in rows(out)} == {"112"}


def test_further_files_may_come_later(scans, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    cine(first / "1.dcm", "P1", 1)
    cine(second / "2.dcm", "P2", 2)
    out = tmp_path / "set"
    run(first, out)
    before = {row["Patient"]: row["Split"] for row in rows(out)}
    assert report_of(run(second, out)).clips == 2
    assert before.items() <= {row["Patient"]: row["Split"] for row in rows(out)}.items()


def test_other_folders_and_keys_are_refused(done, scans, tmp_path):
    with pytest.raises(EchoAugmentError, match="another key"):
        run(scans, done[0], key=tmp_path / "other")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "FileList.csv").write_text("FileName,EF,Split\n")
    with pytest.raises(EchoAugmentError, match="another data set"):
        run(scans, tmp_path / "set")
    with pytest.raises(EchoAugmentError, match="holds nothing that from=video reads"):
        run(scans, tmp_path / "else", plan=ImportPlan(source="video"))
    with pytest.raises(EchoAugmentError, match="no such folder"):
        run(tmp_path / "nowhere", tmp_path / "else")


KILLED = """
import sys
from pathlib import Path
from echo_augment.augmentor.data.importers import ImportPlan, import_clips
if __name__ == "__main__":
    scans, out = map(Path, sys.argv[1:])
    import_clips([scans], out, ImportPlan(source="dicom"), key=out.parent / "key", workers=2)
"""


def test_a_kill_at_any_moment_leaves_no_half_file_and_the_same_result(first, scans, tmp_path):
    out, script = tmp_path / "set", tmp_path / "script.py"
    (tmp_path / "key").write_bytes((first[0].parent / "key").read_bytes())
    script.write_text(KILLED)
    for least in (1, 5):
        process = subprocess.Popen([sys.executable, str(script), str(scans), str(out)], start_new_session=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None and len(list(out.glob("Videos/*.avi"))) < least:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for path in out.glob("Videos/*.avi"):
            assert len(read_video(path)[0]) == 20
    run(scans, out, pool=True)
    assert tables(out) == first[2] and not list(out.rglob(".*.tmp")), "nor does it matter which process reads a file"


def test_every_form_in_one_folder(tmp_path):
    for name, dataset in forms(beating(20, 120, 160)).items():
        save(dataset, tmp_path / "scans" / f"{name.replace(' ', '_')}.dcm")
    done = run(tmp_path / "scans", tmp_path / "set")
    kinds = report_of(done).left_out
    clips = [read_video(path)[0].astype(int) for path in (tmp_path / "set" / "Videos").iterdir()]
    assert set(kinds) == {"duplicate"}, "those without loss hold the very same frames"
    assert 2 <= len(clips) <= 5 and max(np.abs(clip - clips[0]).mean() for clip in clips) < 1


def test_camus_with_splits_and_ef_by_discs(tmp_path):
    true = write_camus(tmp_path / "camus", 3)
    done = run(tmp_path / "camus", tmp_path / "set", plan=ImportPlan(source="camus"), qualities=["good"])
    report = report_of(done)
    assert report.clips == 4 and report.left_out == {"quality": 2} and report.splits == {"TRAIN": 2, "VAL": 2}
    assert report.agreement is not None and report.agreement.n == 2 and report.agreement.mae < 3
    table = read_table(tmp_path / "set")
    assert {row.ef for row in table.rows} == {round(true[0])} and all(
        len(table.tracings[row.name]) == 2 for row in table.rows
    )
    assert {row["View"] for row in rows(tmp_path / "set")} == {"2CH", "4CH"}
    assert {row["ImageQuality"] for row in rows(tmp_path / "set")} == {"Good"}
