import numpy as np
import pytest
from fakes.cache import fake_plan, generate

from echo_augment.cache import EchoAugmentError, EchoClip, PlanLine, fill
from echo_augment.cache.gates import PerClip, as_gates, image_gate, judge

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


def test_gates_are_asked_in_order_and_only_about_what_passed():
    lines = [PlanLine(f"c{k}", "a", "b", k) for k in range(5)]
    pairs = [(line, EchoClip(line.clip_id, SPECKLE, 12.5)) for line in lines]
    together, seen = Together(), []

    def single(line, clip):
        seen.append(line.clip_id)
        return "four: it is" if line.seed == 4 else None

    assert judge([together, PerClip(single)], pairs) == [None, "odd: 1", None, "odd: 3", "four: it is"]
    assert together.asked == [["c0", "c1", "c2", "c3", "c4"]] and seen == ["c0", "c2", "c4"]
    assert judge([PerClip(single), together], pairs)[4] == "four: it is" and together.asked[-1] == [
        "c0",
        "c1",
        "c2",
        "c3",
    ]
    assert (
        judge(as_gates([lambda line, clip: "no: no", together]), pairs) == ["no: no"] * 5 and len(together.asked) == 2
    )
    assert judge([], pairs) == [None] * 5


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
