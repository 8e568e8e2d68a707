"""Label policies of a fill: whose EF clips are stored with, what is kept beside it, and that caches tell them apart."""

import json
import math

import numpy as np
import pytest
from fakes.fill import Painter, config

from echo_augment.augmentor import CachedClips, SyntheticAugment
from echo_augment.augmentor.data import EchoNetDynamic, content_hash, probe_video, read_table
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON
from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.merge import merge
from echo_augment.training_recipes.filling.labels import LabelFigures
from echo_augment.training_recipes.jobs import fill_cache


def fill(root, out, *overrides):
    settings = [f"data.root={root}", f"out={out}", "n=12", "reserve=1", "batch=4", "device=cpu", *overrides]
    fill_cache.run(config(*settings), lambda *_, **__: Painter(root))
    return json.loads((out / "report.json").read_text()), list(ClipStore(out))


def test_a_teacher_s_reading_becomes_the_label_with_a_confidence(root, teacher, tmp_path, capsys):
    report, clips = fill(root, tmp_path / "c", "label.policy=teacher", f"label.teacher={teacher}")
    donors = Painter(root).motion_donors
    for clip in clips:
        source = clip.provenance
        assert clip.ef == pytest.approx(clip.frames.mean(), abs=1.0), "the EF that the teacher reads, brightness"
        assert source.label_policy == "teacher(10)" and source.fingerprint == report["fingerprint"] != "painter"
        assert source.extra["donor_ef"] == donors[source.motion_donor]
        assert source.extra["teacher_ef"] == pytest.approx(clip.ef, abs=1e-3)
        apart = clip.ef - source.extra["donor_ef"]
        assert abs(apart) == pytest.approx(0 if source.seed % 4 else 30, abs=1.5)
        assert clip.confidence == pytest.approx(math.exp(-((apart / 10) ** 2) / 2))
    label = report["label"]
    wrong = np.mean([clip.provenance.seed % 4 == 0 for clip in clips])
    assert 0 < wrong < 1, "the plan has clips of both kinds"
    assert label["policies"] == ["teacher(10)"] and (label["read"], label["unread"], label["unsure"]) == (12, 0, 0)
    assert label["label"] == pytest.approx(np.mean([clip.ef for clip in clips]))
    assert label["teacher"] == pytest.approx(label["label"], abs=1e-3)
    assert label["difference"] == pytest.approx(30 * wrong, abs=1.5)
    assert label["teacher"] - label["donor"] == pytest.approx(30 * wrong, abs=1.5)
    assert label["confidence"] == pytest.approx(np.mean([clip.confidence for clip in clips]))
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert f"mean EF {label['label']:.1f}, mean |teacher - donor| {label['difference']:.1f}" in last


def test_consensus_trusts_only_clips_on_which_both_agree(root, teacher, tmp_path):
    settings = ["label.policy=consensus", f"label.teacher={teacher}", "label.tolerance=8"]
    report, clips = fill(root, tmp_path / "c", *settings)
    for clip in clips:
        extra = clip.provenance.extra
        if clip.provenance.seed % 4:
            assert clip.ef == pytest.approx((extra["donor_ef"] + extra["teacher_ef"]) / 2, abs=1e-3)
            assert clip.confidence > 0.9
        else:
            assert (clip.ef, clip.confidence) == (extra["donor_ef"], 0)
    assert report["label"]["unsure"] == sum(clip.provenance.seed % 4 == 0 for clip in clips) > 0


def test_by_default_the_donors_label_stays_and_no_teacher_is_asked(root, tmp_path, capsys):
    report, clips = fill(root, tmp_path / "c")
    donors = Painter(root).motion_donors
    assert all(clip.ef == donors[clip.provenance.motion_donor] and clip.confidence == 1 for clip in clips)
    assert {clip.provenance.label_policy for clip in clips} == {"donor"} and report["fingerprint"] == "painter"
    assert report["label"] == {"policies": ["donor"], "label": pytest.approx(report["ef"]["mean"]), "confidence": 1.0}
    assert str(LabelFigures(**report["label"])) == "" and "labels by" not in capsys.readouterr().out


def test_a_cache_goes_on_under_its_own_policy_only(root, teacher, tmp_path):
    out, by = tmp_path / "c", [f"label.teacher={teacher}"]
    report, _ = fill(root, out, "label.policy=consensus", *by)
    again, _ = fill(root, out, "label.policy=consensus", *by)
    assert (again["fill"]["made"], again["label"]) == (0, report["label"])
    for other in ([], ["label.policy=teacher", *by], ["label.policy=consensus", "label.tolerance=9", *by]):
        with pytest.raises(EchoAugmentError, match=r"was made by generator 'painter\+labels-consensus\(10\)-"):
            fill(root, out, *other)
    (teacher / "model.safetensors").write_bytes(b"another teacher")
    with pytest.raises(EchoAugmentError, match="was made by generator"):
        fill(root, out, "label.policy=consensus", *by)
    fill(root, tmp_path / "d")
    with pytest.raises(EchoAugmentError, match="different generators cannot be merged"):
        merge([out, tmp_path / "d"], tmp_path / "both")


def test_a_loss_gets_the_confidence_with_each_sample(root, teacher, tmp_path):
    fill(root, tmp_path / "c", "label.policy=consensus", f"label.teacher={teacher}")
    source = CachedClips(tmp_path / "c")
    known = {clip.clip_id: clip.confidence for clip in ClipStore(tmp_path / "c")}
    assert {source[k].clip_id: source[k].confidence for k in range(len(source))} == known
    base = EchoNetDynamic(root, "train", ["EF"], length=4, period=1)
    train = SyntheticAugment(base, source, p=1.0, weights=True, provenance=True)
    seen = [train[k][-2:] for k in range(len(train))]
    assert all(weight.dtype == np.float32 and weight == np.float32(known[of["clip_id"]]) for weight, of in seen)


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["label.policy=vote"], "donor, teacher, consensus, got 'vote'"),
        (["label.policy=teacher"], r"label\.policy=teacher has no teacher.*label\.teacher=FOLDER"),
        (["label.policy=consensus"], r"label\.policy=consensus has no teacher"),
        (["label.teacher=t"], r"donor uses no teacher, got label\.teacher=t"),
        (["label.policy=teacher", "label.teacher=t", "label.tolerance=0"], r"\(0, 100\] EF points, got 0"),
        (["label.policy=teacher", "label.teacher=t", "gates.label.teacher=./t"], "with themselves"),
    ],
)
def test_label_settings_that_cannot_be_are_refused_before_anything_is_loaded(overrides, text, tmp_path):
    with pytest.raises(EchoAugmentError, match=text):
        fill_cache.run(config(*overrides), lambda *_, **__: pytest.fail("loaded"))


def test_a_teacher_that_saw_a_held_out_heart_labels_nothing(root, teacher, tmp_path):
    val = read_table(root).split("VAL")[0]
    hashes = {"first": [probe_video(val.path).first], "content": [content_hash(val.path)]}
    (teacher / TRAINED_ON).write_text(json.dumps(hashes))
    with pytest.raises(EchoAugmentError, match="a VAL video trained the teacher"):
        fill(root, tmp_path / "c", "label.policy=teacher", f"label.teacher={teacher}")
