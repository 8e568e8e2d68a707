"""One source to one clip on disk, or a reason; the table of formats; marks that tell what need not be read again."""

import errno
import hashlib
import os
import pickle
import sys

import pytest

from echo_augment.augmentor.data import read_video, write_video
from echo_augment.augmentor.data.importers import reading
from echo_augment.augmentor.data.importers.identity import Hasher
from echo_augment.augmentor.data.importers.reading import FORMATS, Worker, content_of, find_sources, place, stamp
from echo_augment.augmentor.data.importers.records import SOURCES, ImportPlan, Left, Source
from echo_augment.cache.errors import EchoAugmentError
from tests.fakes.camus import save_meta, ventricle, write_patient
from tests.fakes.cines import beating, header, save

HASHER = Hasher(b"k" * 32)
LUMA = beating(20, 120, 160)
PLAN = ImportPlan(source="video")


def worker(folder, plan=PLAN, rates=()):
    return Worker(folder / "set", plan, HASHER, dict(rates))


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / "scans" / "DOE JANE.avi", LUMA, 30)
    return Source(tmp_path / "scans" / "DOE JANE.avi", tmp_path / "scans")


def cine(path):
    dataset = header(LUMA.shape)
    dataset.PixelData = LUMA.tobytes()
    return save(dataset, path)


def test_every_format_of_a_plan_is_in_the_table():
    assert tuple(FORMATS) == SOURCES


def test_each_format_finds_and_reads_its_own_sources_only(tmp_path, video):
    cine(tmp_path / "scans" / "IM1")
    write_patient(tmp_path / "scans" / "camus", 1)
    found = {}
    for name in FORMATS:
        plan = ImportPlan(source=name, views=("4CH",))
        sources = list(find_sources([tmp_path / "scans"], plan))
        found[name] = [source.relative for source in sources]
        outcome = worker(tmp_path, plan)(sources[0])
        assert outcome.status == "in" and outcome.num_frames == (12 if name == "camus" else 20), outcome.reason
    assert found == {
        "dicom": ["IM1"],
        "video": ["DOE JANE.avi"],
        "camus": ["camus/patient0001:4CH"],
    }


def test_several_roots_in_their_order_and_one_that_is_not_there(tmp_path, video):
    again = [video.path, video.root]
    assert [source.relative for source in find_sources(again, PLAN)] == ["DOE JANE.avi"] * 2
    with pytest.raises(EchoAugmentError, match="nowhere: there is no such folder or file"):
        list(find_sources([tmp_path / "nowhere"], PLAN))


@pytest.mark.parametrize(("package", "source"), [("pydicom", "dicom"), ("nibabel", "camus")])
def test_a_missing_package_is_named(monkeypatch, tmp_path, package, source):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EchoAugmentError, match=rf"from={source} needs {package}, .*echo-augment\[{source}\]"):
        list(find_sources([tmp_path], ImportPlan(source=source)))
    assert list(find_sources([tmp_path], PLAN)) == [], "other formats do without"


def test_a_clip_that_came_in_lies_under_its_hashed_name(tmp_path, video):
    outcome = worker(tmp_path, rates={"DOE JANE": 25.0})(video)
    assert outcome.status == "in" and outcome.fps == 25 and outcome.patient == outcome.name
    frames, fps = read_video(tmp_path / "set" / "Videos" / f"{outcome.name}.avi")
    assert frames.shape == (outcome.num_frames, outcome.image_size, outcome.image_size) == (20, 112, 112) and fps == 25
    assert "DOE" not in str(outcome) and outcome.ef is None and outcome.source == stamp(video, PLAN, HASHER)


def test_the_same_source_gives_the_same_outcome_in_another_process(tmp_path, video):
    there = pickle.loads(pickle.dumps(worker(tmp_path)))  # noqa: S301  our own bytes
    assert there(video) == worker(tmp_path)(video)


def test_what_is_left_out_has_a_kind_and_tells_no_name(tmp_path, video):
    for content, kind in ((b"", "damaged"), (b"RIFF" + bytes(99), "damaged")):
        video.path.write_bytes(content)
        outcome = worker(tmp_path)(video)
        assert (outcome.status, outcome.kind) == ("out", kind) and "DOE" not in str(outcome)
    write_video(video.path, LUMA[:5], 30)
    assert worker(tmp_path)(video).kind == "short" and not (tmp_path / "set").exists()


def failing(monkeypatch, error):
    def read(source, plan, rates):
        raise error

    monkeypatch.setitem(reading.FORMATS, "video", reading.Format(find=FORMATS["video"].find, read=read))


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (OSError(errno.EIO, "Input/output error", "DOE JANE.avi"), "unreadable", "Input/output error"),
        (RuntimeError("DOE JANE"), "damaged", "it cannot be read (RuntimeError)"),
        (Left("a reason", "kind", "A remedy"), "kind", "a reason. A remedy"),
    ],
)
def test_whatever_is_wrong_with_a_file_becomes_a_reason(monkeypatch, tmp_path, video, error, kind, reason):
    failing(monkeypatch, error)
    outcome = worker(tmp_path)(video)
    assert (outcome.status, outcome.kind, outcome.reason) == ("out", kind, reason)


def test_a_full_disk_is_no_fault_of_the_file(monkeypatch, tmp_path, video):
    failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        worker(tmp_path)(video)


def test_content_is_that_of_the_bytes_under_any_name(tmp_path, video):
    assert content_of(video) == hashlib.sha256(video.path.read_bytes()).digest()
    copy = video.path.rename(tmp_path / "other.avi")
    assert content_of(Source(copy, tmp_path)) == hashlib.sha256(copy.read_bytes()).digest()


def test_content_of_camus_is_that_of_the_pixels(tmp_path):
    folder = tmp_path / "patient0001"
    folder.mkdir()
    source = Source(folder, tmp_path, "4CH")
    with pytest.raises(Left, match="its sequence is not there"):
        content_of(source)
    save_meta(folder / "patient0001_4CH_sequence.mhd", ventricle()[0])
    raw = folder / "patient0001_4CH_sequence.raw"
    assert content_of(source) == hashlib.sha256(raw.read_bytes()).digest()


def test_a_stamp_changes_with_the_file_and_the_plan_and_its_place_does_not(tmp_path, video):
    mark, where = stamp(video, PLAN, HASHER), place(video, HASHER)
    assert mark == stamp(video, PLAN, HASHER) and mark.startswith(where)
    other = stamp(video, ImportPlan(source="video", image_size=64), HASHER)
    status = video.path.stat()
    os.utime(video.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    touched = stamp(video, PLAN, HASHER)
    assert len({mark, other, touched}) == 3 and other.startswith(where) and touched.startswith(where)
    views = {place(Source(tmp_path, tmp_path, view), HASHER) for view in ("2CH", "4CH")}
    assert len(views) == 2 and place(video, Hasher(b"l" * 32)) != where
