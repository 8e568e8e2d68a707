"""Clips of nothing learned: the similarity is found, flows are carried, and a clip moves as its donor does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from echo_augment.augmentor.data.phantom import write_phantoms
from echo_augment.augmentor.sources.warp import WarpGenerator, carried, find_similarity, similarity
from echo_augment.cache import EchoAugmentError, PlanLine, make_plan

FORM = {"frames": 8, "fps": 12.5, "size": 112}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("warp")
    return write_phantoms(folder, 5, num_frames=60, workers=1, splits=(0.6, 0.2, 0.2), format=2)


@pytest.fixture(scope="module")
def generator(root) -> WarpGenerator:
    return WarpGenerator.of(root, **FORM)


def test_the_similarity_of_two_pictures_is_found():
    rng = np.random.default_rng(3)
    picture = gaussian_filter(rng.normal(size=(112, 112)), 9)
    picture = (255 * (picture - picture.min()) / np.ptp(picture)).astype(np.float32)
    frame = np.zeros((112, 112), np.float32)
    frame[16:96, 16:96] = picture[16:96, 16:96]
    wanted, shift = similarity(np.array([0.1, 0.12, 0.05, -0.04]))
    place = torch.from_numpy(np.linalg.inv(wanted)).float()
    theta = torch.cat([place, -place @ torch.tensor(shift[:, None]).float()], 1)[None]
    grid = torch.nn.functional.affine_grid(theta, [1, 1, 112, 112], align_corners=False)
    other = torch.nn.functional.grid_sample(torch.from_numpy(frame)[None, None], grid, align_corners=False)[
        0, 0
    ].numpy()
    linear, found = find_similarity(frame.astype(np.uint8), other.astype(np.uint8))
    assert np.abs(linear - wanted).max() < 0.05 and np.abs(found - shift).max() < 0.05
    same, none = find_similarity(frame.astype(np.uint8), frame.astype(np.uint8))
    assert np.abs(same - np.eye(2)).max() < 0.02 and np.abs(none).max() < 0.02


def test_a_displacement_moves_turns_and_grows_with_its_place():
    flows = torch.zeros(1, 2, 28, 28)
    flows[:, 0, 10:14, 4:8] = 3.0  # to the right, left of the middle
    quarter = 1.5 * np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter turn, half as large again
    found = carried(flows, quarter, np.zeros(2))[0]
    assert float(found[1].max()) == pytest.approx(4.5) and float(found[0].abs().max()) < 1e-5, "now downwards"
    rows, columns = np.nonzero(found[1].numpy() > 2)
    assert rows.mean() == pytest.approx(13.5 + 1.5 * (5.5 - 13.5), abs=1)
    assert columns.mean() == pytest.approx(13.5 - 1.5 * (11.5 - 13.5), abs=1)
    assert torch.equal(carried(flows, np.eye(2), np.zeros(2)), flows)


def test_a_clip_of_a_video_on_itself_follows_its_own_frames(root, generator):
    name = sorted(generator.motion_donors)[0]
    clip = generator([PlanLine("a", name, name, 5, "warp")])[0]
    assert clip.frames.shape == (8, 112, 112) and clip.fps == 12.5 and clip.ef == generator.motion_donors[name]
    heart = generator._heart(name)
    start, tempo = clip.provenance.extra["start"], clip.provenance.extra["tempo"]
    true = heart.frames[heart.grid][np.rint(start + tempo * np.arange(8)).astype(int)].astype(float)
    still = np.abs(true - heart.reference).mean()
    assert np.abs(true - clip.frames).mean() < 0.85 * still
    assert clip.ed_frame != clip.es_frame and clip.provenance.sampler == "warp"


def test_a_clip_is_a_function_of_its_line_and_the_fingerprint_of_donors_and_form(root, generator):
    plan = make_plan(generator.motion_donors, generator.appearance_donors, 3, sampler="warp")
    together = generator(plan.lines)
    alone = WarpGenerator.of(root, **FORM)(plan.lines[1:2])[0]
    assert np.array_equal(together[1].frames, alone.frames) and together[1].clip_id == plan.lines[1].clip_id
    assert not np.array_equal(together[0].frames, together[1].frames)
    assert WarpGenerator.of(root, **FORM).fingerprint == generator.fingerprint
    assert WarpGenerator.of(root, **{**FORM, "frames": 9}).fingerprint != generator.fingerprint
    fewer = WarpGenerator.of(root, motion_donors=sorted(generator.motion_donors)[:1], **FORM)
    assert len(fewer.motion_donors) == 1 and fewer.fingerprint != generator.fingerprint


def test_donors_are_train_videos_that_are_long_enough(root, generator):
    assert len(generator.motion_donors) == len(generator.appearance_donors) == 3 and not generator.skipped
    with pytest.raises(EchoAugmentError, match="long enough"):
        WarpGenerator.of(root, **{**FORM, "frames": 400})
    name = next(iter(generator.motion_donors))
    with pytest.raises(EchoAugmentError, match="'nobody' is no motion donor"):
        generator([PlanLine("a", "nobody", name, 0)])
    with pytest.raises(EchoAugmentError, match="'nobody' is no appearance donor"):
        generator([PlanLine("a", name, "nobody", 0)])
