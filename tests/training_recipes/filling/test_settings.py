"""What gates are told and what they measured: checked, agreed on for a whole cache, kept beside it."""

import pytest
from fakes.fill import config

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.gates import PerClip, image_gate, read_gates
from echo_augment.training_recipes.filling.gates import make_gates
from echo_augment.training_recipes.filling.readings import Readings, spread
from echo_augment.training_recipes.filling.settings import IMAGE_ONLY, agree, read_settings


def test_the_gates_that_need_more_are_off_by_default():
    settings = read_settings(config().gates)
    assert settings.image and settings.label is None and settings.privacy is None


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["gates.label.teacher=t", "gates.label.tolerance=-3"], r"\(0, 100\] EF points, got -3"),
        (["gates.label.teacher=t", "gates.label.tolerance=wide"], "number or null, got 'wide'"),
        (["gates.label.teacher=t", "gates.label.quantile=0"], r"quantile must be in \(0, 1\], got 0"),
        (["gates.label.by=nurse"], "teacher, masks, got 'nurse'"),
        (["gates.label.tolerance=5"], "there is no teacher"),
        (["gates.label.by=masks"], "tolerance=NUMBER"),
        (["gates.label.by=masks", "gates.label.tolerance=5", "gates.label.teacher=t"], "uses no teacher"),
        (["gates.privacy.against=others", "gates.privacy.threshold=1.2"], r"\[-1, 1\], got 1.2"),
        (["gates.privacy.against=everyone"], "others, all or null, got 'everyone'"),
        (["gates.privacy.threshold=0.5"], "the gate is off"),
        (["gates.privacy.against=all", "gates.privacy.quantile=1.5"], r"got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_value(overrides, text):
    with pytest.raises(EchoAugmentError, match=text):
        read_settings(config(*overrides).gates)


def test_a_cache_keeps_to_the_gates_it_was_begun_with(tmp_path):
    calls = []

    def calibrate():
        calls.append(1)
        return {"label": {"tolerance": 5.0 + len(calls)}}

    other = {"image": True, "label": None, "privacy": None}
    strict = {**other, "label": {"by": "x"}}
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 6.0}}
    assert agree(tmp_path, other, dict) == {}, "nothing was filled yet: the gates may still change"
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 7.0}}
    (tmp_path / "plan.jsonl").write_text("{}")
    assert agree(tmp_path, strict, calibrate) == {"label": {"tolerance": 7.0}} and len(calls) == 2
    with pytest.raises(EchoAugmentError, match=r"is being filled with the gates.*fill another folder"):
        agree(tmp_path, other, dict)
    (tmp_path / "gates.json").write_text('{"gates": [1]}')
    with pytest.raises(EchoAugmentError, match=r"gates\.json is damaged"):
        agree(tmp_path, strict, calibrate)
    (tmp_path / "gates.json").unlink()
    assert agree(tmp_path, other, dict) == {}, "a cache of a job that knows the image gate alone"
    (tmp_path / "gates.json").unlink()
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        agree(tmp_path, strict, calibrate)


def test_a_cache_keeps_to_what_its_teacher_knows(tmp_path):
    gates = {**IMAGE_ONLY, "label": {"by": "teacher"}}
    assert agree(tmp_path, gates, lambda: {"label": 5.0}) == {"label": 5.0}
    (tmp_path / "plan.jsonl").write_text("{}")
    assert agree(tmp_path, {**gates, "knows": ["A"]}, dict) == {"label": 5.0}, "of a version that did not tell"
    assert read_gates(tmp_path).gates["knows"] == ["A"]
    for other in ({**gates, "knows": ["A", "B"]}, gates):
        with pytest.raises(EchoAugmentError, match=r"whose teacher knows other hearts.*another folder"):
            agree(tmp_path, other, dict)


def test_merged_clips_keep_to_their_gates_without_a_plan(tmp_path):
    gates = {**IMAGE_ONLY, "label": {"by": "masks"}}
    agree(tmp_path, gates, dict)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / f"clips-{0:020x}.h5").touch()
    assert agree(tmp_path, gates, dict) == {}
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        agree(tmp_path, IMAGE_ONLY, dict)


def test_a_cache_keeps_to_its_mask_gate_as_well(tmp_path):
    def gates(**others):
        return make_gates(config().gates, None, tmp_path, tmp_path, device="cpu", others=others)

    assert gates(masks=0.5).gates == [PerClip(image_gate)]
    (tmp_path / "plan.jsonl").write_text("{}")
    assert gates(masks=0.5).figures() == {"gates": {"settings": {**IMAGE_ONLY, "masks": 0.5}, "limits": {}}}
    with pytest.raises(EchoAugmentError, match=r"'masks': 0\.5.*'masks': 0\.7"):
        gates(masks=0.7)
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        gates()


def test_readings_outlive_a_kill_and_count_a_clip_once(tmp_path):
    for rank in range(2):
        readings = Readings(tmp_path, rank=rank, world=2)
        readings.add(f"c{rank}", nearest_other=0.5, motion=float("nan"))
        readings.close()
    again = Readings(tmp_path, rank=1, world=2)
    again.add("c1", nearest_other=0.25)
    with (tmp_path / "readings-0-of-2.jsonl").open("ab") as file:
        file.write(b'{"clip_id": "torn')
    assert again.columns() == {"nearest_other": {"c0": 0.5, "c1": 0.25}}
    assert spread([]) == {"n": 0} and spread([1.0, 3.0])["q50"] == 2.0
