import json

import numpy as np
import pytest
from fakes.cache import fake_plan, generate

from echo_augment.cache import EchoAugmentError, EchoClip, PlanLine, fill
from echo_augment.cache.gates import GATES, IMAGE_ONLY, PerClip, as_gates, image_gate, judge, read_gates

LINE = PlanLine("x", "a", "b", 0)
SPECKLE = np.random.default_rng(0).integers(0, 120, (4, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (SPECKLE, None),
        (SPECKLE[:1], None),
        (SPECKLE // 60, "image: black"),
        (SPECKLE // 4 + np.uint8(200), "image: white"),
        (np.concatenate([SPECKLE, np.full_like(SPECKLE, 60)]), "image: flat"),
        (np.repeat(SPECKLE[:1], 5, axis=0), "image: still"),
    ],
)
def test_what_is_no_echocardiogram_is_rejected(frames, reason):
    found = image_gate(LINE, EchoClip("x", frames, 12.5))
    assert found is None if reason is None else found is not None and found.startswith(reason)


class Together:
    """Rejects odd seeds, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def judge(self, lines, clips):
        self.asked.append([line.clip_id for line in lines])
        return [f"odd: {line.seed}" if line.seed % 2 else None for line in lines]


PAIRS = [(PlanLine(f"c{k}", "a", "b", k), EchoClip(f"c{k}", SPECKLE, 12.5)) for k in range(5)]


def four(line, clip):
    return "four: it is" if line.seed == 4 else None


def test_a_clip_has_the_reason_of_the_gate_that_rejects_it():
    assert judge(as_gates([Together(), four]), PAIRS) == [None, "odd: 1", None, "odd: 3", "four: it is"]
    assert judge([], PAIRS) == [None] * 5


def test_a_gate_is_asked_only_about_what_those_before_it_let_through():
    together, seen = Together(), []

    def single(line, clip):
        seen.append(line.clip_id)

    judge(as_gates([together, single]), PAIRS)
    assert together.asked == [["c0", "c1", "c2", "c3", "c4"]] and seen == ["c0", "c2", "c4"]
    judge(as_gates([four, together]), PAIRS)
    assert together.asked[-1] == ["c0", "c1", "c2", "c3"]


def test_a_gate_is_not_asked_when_nothing_is_left():
    together = Together()
    assert judge(as_gates([lambda line, clip: "no: no", together]), PAIRS) == ["no: no"] * 5 and together.asked == []


def test_functions_become_gates_and_gates_stay():
    together = Together()
    assert as_gates([together, four]) == [together, PerClip(four)]


@pytest.mark.parametrize(
    ("gates", "chosen"),
    [
        (IMAGE_ONLY, False),
        ({**IMAGE_ONLY, "label": {"by": "masks", "teacher": None}}, False),
        ({**IMAGE_ONLY, "label": {"by": "teacher", "teacher": "abc"}}, True),
        ({**IMAGE_ONLY, "masks": 0.5}, True),
    ],
)
def test_a_cache_tells_whether_its_clips_were_chosen_by_labels(tmp_path, gates, chosen):
    (tmp_path / GATES).write_text(json.dumps({"gates": {**gates, "knows": ["A"]}, "limits": {}}))
    found = read_gates(tmp_path)
    assert found.chosen_by_labels is chosen and found.known_videos == {"A"} and found.limits == {}


def test_a_cache_without_the_file_has_the_image_gate_alone(tmp_path):
    found = read_gates(tmp_path)
    assert found.gates == IMAGE_ONLY and found.limits is None and found.known_videos is None


def test_a_gate_that_answers_for_too_few_clips_is_an_error():
    class Short:
        def judge(self, lines, clips):
            return [None]

    with pytest.raises(ValueError, match="shorter"):
        judge([Short()], [(LINE, EchoClip("x", SPECKLE, 12.5))] * 2)


def test_a_fill_asks_a_gate_for_whole_batches_and_warns_in_time_when_the_reserve_will_not_do(tmp_path):
    together, said = Together(), []
    options = {"batch": 8, "progress": False, "say": said.append}
    summary = fill(fake_plan(24), generate, tmp_path / "strict", gates=[together], **options)
    assert [len(ids) for ids in together.asked[:3]] == [8, 8, 8] and summary.rejected["odd"] > 0
    assert "of the first 8 were refused: the reserve may run out" in said[0] and not summary.complete
    fill(fake_plan(24), generate, tmp_path / "lax", gates=[], **options)
    assert "refused" not in said[1]


def test_an_error_of_a_gate_ends_the_fill_and_keeps_what_was_sealed(tmp_path):
    asked = []

    def gate(line, clip):
        asked.append(line.clip_id)
        if len(asked) == 20:
            raise EchoAugmentError("the teacher is ill", "Call another one")

    with pytest.raises(EchoAugmentError, match="the teacher is ill"):
        fill(fake_plan(24), generate, tmp_path, gates=[gate], batch=8, progress=False, say=lambda text: None)
    summary = fill(fake_plan(24), generate, tmp_path, gates=[], progress=False, say=lambda text: None)
    assert summary.made == 8 and summary.complete, "two batches were kept"
