"""All fills of a cache keep to the gates that it was begun with."""

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.cache.gates import IMAGE_ONLY, read_gates
from echo_augment.training_recipes.filling.agreement import agree


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
        with pytest.raises(EchoAugmentError, match=r"whose teacher knows other videos.*another folder"):
            agree(tmp_path, other, dict)


def test_merged_clips_keep_to_their_gates_without_a_plan(tmp_path):
    gates = {**IMAGE_ONLY, "label": {"by": "masks"}}
    agree(tmp_path, gates, dict)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / f"clips-{0:020x}.h5").touch()
    assert agree(tmp_path, gates, dict) == {}
    with pytest.raises(EchoAugmentError, match="is being filled with the gates"):
        agree(tmp_path, IMAGE_ONLY, dict)
