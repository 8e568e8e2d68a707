import numpy as np
import pytest

from echo_augment.cache import EchoClip, PlanLine
from echo_augment.cache.gates import image_gate

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
