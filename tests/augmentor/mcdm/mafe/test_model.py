"""MAFE: the reference's sizes, the order of its vector, the meaning of its flow, and weights of another network."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.cache import EchoAugmentError

SMALL = (4, (1, 1, 1, 2, 2), (1, 2))


@pytest.fixture(scope="module")
def small() -> MAFE:
    return MAFE(*SMALL).eval()


def test_default_sizes_are_the_references():
    with torch.device("meta"):
        mafe, gray = MAFE(channels=3), MAFE()
        pair = torch.rand(2, 1, 1, 112, 112)
        assert mafe.vector_size == 1536
        assert mafe.motion_vector(pair[0], pair[1]).shape == (1, 1536)
        assert mafe.motion_vector(pair[0], pair[1], turned=True).shape == (1, 3072)
    counts = [sum(weight.numel() for weight in net.parameters()) for net in (mafe, gray)]
    assert counts == [65_662_359, 65_637_589]


def test_output_shapes_and_vector(small):
    first, second = torch.rand(2, 3, 1, 112, 112)
    with torch.no_grad():
        output = small(first, second)
        torch.testing.assert_close(output.vector, small.motion_vector(first, second))
        torch.testing.assert_close(output.flow, small.flow(first, second))
    assert output.frame.shape == (3, 1, 112, 112) and output.frame.min() >= 0 and output.frame.max() <= 1
    assert [tuple(merge.shape) for merge in output.merges] == [(3, 1, 112, 112)] * 2
    assert output.vector.shape == (3, small.vector_size) == (3, 192)
    assert output.flows.shape == (3, 4, 112, 112) and output.appearance.shape == (3, 2, 64)


def test_the_vector_is_both_stages_of_each_frame_then_of_the_frame_turned(small):
    first, second = torch.rand(2, 1, 1, 112, 112)
    with torch.no_grad():
        upright, upside_down = small(first, second), small(first.rot90(2, (2, 3)), second.rot90(2, (2, 3)))
        vector = small.motion_vector(first, second, turned=True)[0]
    parts = [
        stage[0, frame].mean((1, 2)) for frame in (0, 1) for found in (upright, upside_down) for stage in found.motion
    ]
    torch.testing.assert_close(vector, torch.cat(parts))


def test_three_channels_take_gray_frames_three_times():
    mafe = MAFE(*SMALL, channels=3).eval()
    first, second = torch.rand(2, 1, 1, 112, 112)
    with torch.no_grad():
        gray, full = mafe(first, second), mafe(first.expand(-1, 3, -1, -1), second.expand(-1, 3, -1, -1))
    assert gray.frame.shape == (1, 3, 112, 112)
    assert torch.equal(gray.frame, full.frame) and torch.equal(gray.flows, full.flows)


def test_swapping_the_frames_swaps_the_directions(small):
    first, second = torch.rand(2, 2, 1, 112, 112)
    with torch.no_grad():
        there, back = small(first, second), small(second, first)
    for one, two in zip(there.motion, back.motion, strict=True):
        torch.testing.assert_close(one, two.flip(1), atol=1e-4, rtol=1e-4)


def test_a_few_steps_learn_the_flow_of_a_shift():
    """The heads must be able to turn features into a flow of the right sign and axis."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        mafe = MAFE(4, (1, 1, 1, 1, 1), (1, 2))
        optimizer = torch.optim.AdamW(mafe.parameters(), lr=3e-3)
        noise = torch.nn.functional.avg_pool2d(torch.rand(4, 1, 124, 124), 5, 1, 2)
        first, second = noise[..., 6:118, 6:118], noise[..., 6:118, 3:115]  # content moves 3 pixels to the right
        target = torch.zeros(4, 2, 112, 112)
        target[:, 0] = 3.0
        for _ in range(25):
            loss = (mafe.flow(first, second) - target).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    flow = mafe.flow(first, second)
    assert flow[:, 0].mean() > 2 and flow[:, 1].abs().mean() < 0.6


def test_weights_of_another_network_are_refused(small, tmp_path):
    small.save_pretrained(tmp_path)
    assert torch.equal(MAFE.from_pretrained(tmp_path).refinement.leave.weight, small.refinement.leave.weight)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file({f"old.{name}": value for name, value in weights.items()}, file, metadata={"format": "pt"})
    with pytest.raises(EchoAugmentError, match=f"not the weights of this MAFE: {len(weights)} are missing"):
        MAFE.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 6}, "width=6 is no multiple of 4"),
        ({"channels": 2}, "channels=2 is neither 1 nor 3"),
        ({"size": 96}, "size=96: its sixteenth is no multiple of window=7"),
        ({"width": 4, "heads": (3, 2)}, r"heads=\(3, 2\): 3 do not divide 32 channels"),
        ({"width": 4, "depths": (1, 1, 1, 3, 1), "heads": (1, 2)}, "1 do not divide 32 channels, or a layer's share"),
    ],
)
def test_sizes_that_do_not_divide_each_other_are_refused(sizes, message):
    with pytest.raises(EchoAugmentError, match=message), torch.device("meta"):
        MAFE(**sizes)
