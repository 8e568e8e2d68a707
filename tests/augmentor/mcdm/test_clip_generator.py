"""From plan lines to clips: the label travels, a line decides its clip, and held-out hearts are refused."""

import json
import shutil

import numpy as np
import pytest

from echo_augment.augmentor.data import read_table, read_video, write_video
from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.mcdm.clip_generator import ClipGenerator, load_generator
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.sources.warp import WarpGenerator
from echo_augment.cache import EchoAugmentError, PlanLine, fill, make_plan
from echo_augment.training_recipes.filling.labels import masked


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_phantoms(tmp_path_factory.mktemp("data") / "phantom", 8, seed=5, workers=1, format=2)


@pytest.fixture(scope="module")
def folder(untrained, tmp_path_factory):
    path = tmp_path_factory.mktemp("generator")
    untrained.save_pretrained(str(path), safe_serialization=True)
    return path


@pytest.fixture(scope="module")
def generator(folder, root):
    return load_generator(str(folder), root, steps=2, batch=4)


def lines_of(generator, count):
    names = list(generator.motion_donors)
    return [PlanLine(f"c{i}", names[i % 3], names[3 + i % 3], 100 + i, generator.sampler) for i in range(count)]


def test_clips_carry_label_and_origin(generator, root):
    ef = {row.name: row.ef for row in read_table(root).rows}
    for line, clip in zip(lines_of(generator, 3), generator(lines_of(generator, 3)), strict=True):
        assert clip.frames.shape == (16, 112, 112) and clip.fps == 12.5
        assert clip.ef == ef[line.motion_donor]
        origin = clip.provenance
        assert (origin.motion_donor, origin.appearance_donor, origin.seed) == (
            line.motion_donor,
            line.appearance_donor,
            line.seed,
        )
        assert origin.fingerprint == generator.fingerprint and origin.sampler == "ddim-2"
        assert 0.9 <= origin.extra["tempo"] <= 1.1 and origin.extra["start"] >= 0
        assert 0 <= clip.ed_frame < 16 and 0 <= clip.es_frame < 16 and clip.ed_frame != clip.es_frame
        json.dumps(origin.to_json())


@pytest.fixture(scope="module")
def one_vector(untrained, root, tmp_path_factory):
    """A generator that is told one motion vector a clip, as MCDM's is."""
    size = 2 * untrained.mafe.vector_size
    denoiser = MotionDenoiser(
        (32, 32), (False, True), (2, 2), 1, motion="vector", code_size=size, cross_attention_dim=32
    )
    parts = {name: getattr(untrained, name) for name in ("vae", "mafe", "reid", "scheduler")}
    folder = tmp_path_factory.mktemp("vector")
    MCDMPipeline(denoiser=denoiser, code="vector", **parts).save_pretrained(str(folder))
    return load_generator(str(folder), root, steps=1, batch=2)


def test_a_clip_of_one_motion_vector_has_no_ed_and_es_frame(one_vector, generator, root):
    clips = one_vector(lines_of(one_vector, 2))
    assert [(clip.ed_frame, clip.es_frame, clip.masks) for clip in clips] == [(-1, -1, None)] * 2
    assert all(clip.ef == one_vector.motion_donors[clip.provenance.motion_donor] for clip in clips)
    assert one_vector.phaseless and not generator.phaseless


def test_masks_for_clips_of_one_motion_vector_are_refused(one_vector, root):
    with pytest.raises(EchoAugmentError, match="no ED and ES frame to hold masks against"):
        masked(one_vector, "nowhere", root)


def test_a_line_makes_the_same_clip_in_any_batch(generator):
    lines = lines_of(generator, 5)
    together, alone = generator(lines), generator(lines[3:4])[0]
    generator.expect(lines[:1])  # what it is told changes nothing
    backwards = generator(lines[::-1])[::-1]
    np.testing.assert_array_equal(together[3].frames, alone.frames)
    for one, two in zip(together, backwards, strict=True):
        np.testing.assert_array_equal(one.frames, two.frames)


def test_only_train_videos_are_donors(generator, root):
    train = {row.name for row in read_table(root).rows if row.split == "TRAIN"}
    assert set(generator.appearance_donors) == train and set(generator.motion_donors) <= train


def test_chosen_motion_donors_only(folder, root, generator):
    one = next(iter(generator.motion_donors))
    limited = load_generator(str(folder), root, steps=2, motion_donors=[one])
    assert list(limited.motion_donors) == [one] and limited.fingerprint != generator.fingerprint
    held_out = next(row.name for row in read_table(root).rows if row.split == "TEST")
    with pytest.raises(EchoAugmentError, match=f"{held_out}.*not a usable TRAIN video"):
        load_generator(str(folder), root, motion_donors=[held_out])


def test_other_videos_under_the_same_names_have_another_fingerprint(folder, root, tmp_path, generator):
    other = shutil.copytree(root, tmp_path / "other", copy_function=shutil.copyfile)

    def of_it():
        return load_generator(str(folder), other, steps=2, batch=4)

    assert of_it().fingerprint == generator.fingerprint  # a copy of another date
    plan = make_plan(generator.motion_donors, generator.appearance_donors, 2, fingerprint=generator.fingerprint)
    one, two = (row.path for row in read_table(other).split("TRAIN")[:2])
    one.rename(tmp_path / "kept.avi"), two.rename(one), (tmp_path / "kept.avi").rename(two)
    changed = of_it()
    assert changed.motion_donors == generator.motion_donors and changed.fingerprint != generator.fingerprint
    again = make_plan(changed.motion_donors, changed.appearance_donors, 2, fingerprint=changed.fingerprint)
    assert not {line.clip_id for line in plan.lines} & {line.clip_id for line in again.lines}
    fill(plan, generator, tmp_path / "cache", progress=False)
    with pytest.raises(EchoAugmentError, match="was made by generator"):
        fill(again, changed, tmp_path / "cache", progress=False)


@pytest.mark.parametrize("word", ["TEST", "INTERNAL_TEST"])
def test_a_test_heart_under_another_name_is_refused(folder, root, tmp_path, word):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    rows = read_table(copy).rows
    table = copy / "FileList.csv"
    table.write_text(table.read_text().replace("TEST", word))
    test = next(row for row in rows if row.split == "TEST")
    train = next(row for row in rows if row.split == "TRAIN")
    shutil.copy(test.path, train.path)
    with pytest.raises(EchoAugmentError, match=f"{train.name}.*{test.name}"):
        load_generator(str(folder), copy)
    with pytest.raises(EchoAugmentError, match=f"{train.name}.*{test.name}"):
        WarpGenerator.of(copy)


def test_a_truncated_train_video_is_skipped_and_counted(folder, root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    victim = next(row for row in read_table(copy).rows if row.split == "TRAIN")
    victim.path.write_bytes(victim.path.read_bytes()[:200])
    generator = load_generator(str(folder), copy)
    assert [item.name for item in generator.skipped] == [victim.name]
    assert victim.name not in generator.appearance_donors
    with pytest.raises(EchoAugmentError, match=victim.name):
        load_generator(str(folder), copy, on_error="raise")


def test_bad_steps_and_foreign_lines(untrained, root, generator):
    rows = {row.name: row for row in read_table(root).split("TRAIN")}
    with pytest.raises(EchoAugmentError, match="steps must be at least 1, got 0"):
        ClipGenerator(untrained, rows, steps=0)
    with pytest.raises(EchoAugmentError, match="'nobody' is not a motion donor"):
        generator([PlanLine("c", "nobody", generator.appearance_donors[0], 0)])


@pytest.mark.parametrize("told", ["50,60", ",", "5,60", "50,9999"])
def test_a_donor_too_short_for_the_documented_tempo_is_skipped_whatever_the_table_says(folder, root, tmp_path, told):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    table = copy / "FileList.csv"
    head, *rows = table.read_text().splitlines()
    places = [head.split(",").index(name) for name in ("FPS", "NumberOfFrames")]
    mended = []
    for row in rows:
        fields = row.split(",")
        fields[places[0]], fields[places[1]] = told.split(",")
        mended.append(",".join(fields))
    table.write_text("\n".join([head, *mended]) + "\n")
    short = next(row for row in read_table(root).rows if row.split == "TRAIN")
    frames, fps = read_video(short.path)
    write_video(copy / "Videos" / short.path.name, frames[:28], fps)
    generator = load_generator(str(folder), copy)
    assert [item.name for item in generator.skipped] == [short.name]
    assert f"{27 / fps:.2f} s is shorter than a clip's 1.20 s" in generator.skipped[0].reason
    assert short.name in generator.appearance_donors and short.name not in generator.motion_donors


def test_tracings_ride_to_every_frame_of_their_donors_clips_alone(displacing, root):
    rows = {row.name: row for row in read_table(root).split("TRAIN")}
    generator, plain = (ClipGenerator(displacing, rows, steps=0, batch=2) for _ in range(2))
    lines = lines_of(generator, 4)
    traced = lines[0].appearance_donor
    mask = np.zeros((56, 56), bool)
    mask[20:40, 22:34] = True
    assert generator.carry_tracings({traced: mask})
    for line, clip, without in zip(lines, generator(lines), plain(lines), strict=True):
        np.testing.assert_array_equal(clip.frames, without.frames)
        assert (clip.masks is not None) == (line.appearance_donor == traced) and without.masks is None
        if clip.masks is not None:
            assert clip.masks.shape == clip.frames.shape and clip.masks.any((1, 2)).all()


def test_a_generator_without_a_displacement_carries_no_tracings(generator):
    assert not generator.carry_tracings({generator.appearance_donors[0]: np.ones((112, 112), bool)})
    assert generator(lines_of(generator, 1))[0].masks is None
