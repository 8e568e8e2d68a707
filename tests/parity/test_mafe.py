"""MAFE against EMA-VFI's network, with the same random weights."""

import pytest
import torch

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.mafe.losses import bands, laplacian_loss
from echo_augment.augmentor.mcdm.mafe.published import load_published


def theirs_and_ours(emavfi, width: int, depths: tuple[int, ...]):
    backbone, flows = emavfi.config.MODEL_CONFIG["MODEL_TYPE"]
    for_backbone, for_flows = emavfi.config.init_model_config(F=width, depth=list(depths))
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        theirs = flows(backbone(**for_backbone), **for_flows).eval()
        for weight in theirs.parameters():  # biases and slopes, too: fresh ones are 0 or alike
            weight.data += 0.02 * torch.randn_like(weight)
        for name, weight in theirs.named_parameters():  # so that attention prefers some places
            if name.endswith("attn.q.weight"):
                weight.data *= 10
        ours = MAFE(width, depths, (width // 4, width // 2), channels=3).eval()
    load_published(ours, theirs.state_dict())
    return theirs, ours


def pair(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return smooth random frames ``(B, 3, 112, 112)`` in [0, 1], and others."""
    noise = torch.rand(2 * count, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    first, second = torch.nn.functional.interpolate(noise, size=112, mode="bicubic").clamp(0, 1).chunk(2)
    return first, second


def test_as_many_parameters(emavfi):
    theirs, ours = theirs_and_ours(emavfi, 32, (2, 2, 2, 4, 4))
    counts = [sum(weight.numel() for weight in net.parameters()) for net in (theirs, ours)]
    assert counts == [65_662_359, 65_662_359]


@pytest.mark.parametrize(("width", "depths"), [(32, (2, 2, 2, 4, 4)), (16, (2, 2, 2, 2, 2)), (8, (1, 1, 1, 2, 2))])
@pytest.mark.parametrize("time", [0.5, 0.3])
def test_the_whole_network(emavfi, on_cpu, agree, width, depths, time):
    theirs, ours = theirs_and_ours(emavfi, width, depths)
    first, second = pair(2)
    row = f"MAFE, F={width}, t={time}"
    with torch.no_grad():
        flows, _, merged, frame = theirs(torch.cat([first, second], dim=1), timestep=time)
        appearance, motion = theirs.feature_bone(first, second)
        found = ours(first, second, time)
        pyramid, values, motions = ours.features(first, second)
    agree(f"{row}: frame", found.frame, frame)
    agree(f"{row}: flows", found.flows, flows[-1])
    for place, (one, two) in enumerate(zip(found.merges, merged, strict=True)):
        agree(f"{row}: merge {place}", one, two)
    for level, (one, two) in enumerate(zip([*pyramid, *values], appearance, strict=True)):
        agree(f"{row}: appearance, level {level}", one, two)
    for stage, (one, two) in enumerate(zip(motions, motion[3:], strict=True)):
        agree(f"{row}: motion, stage {stage}", one, two)


def test_the_motion_vector(emavfi, on_cpu, agree):
    """What ``infer_echo_flow.py`` keeps of a video: both stages' means of img0, img0 turned, img1, img1 turned."""
    theirs, ours = theirs_and_ours(emavfi, 32, (2, 2, 2, 4, 4))
    first, second = pair(1)
    images = torch.cat([first, second], dim=1)
    images = torch.cat([images, images.flip(2).flip(3)])
    with torch.no_grad():
        _, motion = theirs.feature_bone(images[:, :3], images[:, 3:])
        kept = torch.cat([torch.mean(torch.mean(part, dim=-1), dim=-1) for part in motion[-2:]], dim=1).view(-1)
        vector = ours.motion_vector(first, second, turned=True)[0]
    assert len(kept) == 3072
    agree("motion vector", vector, kept)


def test_the_laplacian_loss(emavfi, agree):
    theirs = emavfi.loss.LapLoss(max_levels=4)
    one, two = pair(2)
    kernel = theirs.gauss_kernel
    for level, (own, other) in enumerate(zip(bands(one), emavfi.loss.laplacian_pyramid(one, kernel, 4), strict=True)):
        agree(f"Laplacian band {level}", own, other)
    agree("Laplacian loss", laplacian_loss(one, two), theirs(one, two))
    assert abs(float(laplacian_loss(one, (one + 0.1)))) < 1e-6
