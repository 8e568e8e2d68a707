"""A published generator comes in whole, and samples as its makers' script does."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDPMScheduler, UNetSpatioTemporalConditionModel
from fakes.published import FRAMES, SCALING, change, write_layout

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.published.layouts import LAYOUTS
from echo_augment.augmentor.mcdm.published.pipelines import import_pipeline
from echo_augment.cache import EchoAugmentError

EF_LAYOUT, MCDM_LAYOUT = LAYOUTS["echonet-synthetic"], LAYOUTS["mcdm"]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_layout(tmp_path_factory.mktemp("published"))


def frames(count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(5).integers(0, 256, (count, 112, 112), dtype=np.uint8))


def as_published(root, token: torch.Tensor, shown: torch.Tensor, steps: int, noise: torch.Generator) -> torch.Tensor:
    """Sample as ``sample.py`` of EchoNet-Synthetic and ``sample_motion.py`` of MCDM do, written from what they do."""
    vae = AutoencoderKL.from_pretrained(root / "vae")
    unet = UNetSpatioTemporalConditionModel.from_pretrained(root / "lvdm")
    scheduler = DDPMScheduler(
        beta_start=1e-4,
        beta_end=0.02,
        prediction_type="v_prediction",
        clip_sample_range=4.0,
        timestep_spacing="leading",
    )
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        images = (shown.float() / 128 - 1)[:, None].expand(-1, 3, -1, -1)
        still = vae.encode(images).latent_dist.mode() * vae.config.scaling_factor
        latents = torch.randn(len(shown), FRAMES, 4, 14, 14, generator=noise)
        for step in scheduler.timesteps:
            given = torch.cat([latents, still[:, None].expand(-1, FRAMES, -1, -1, -1)], dim=2)
            padded = F.pad(given.flatten(0, 1), (0, 0, 0, 0), mode="replicate").unflatten(0, (len(shown), FRAMES))
            v = unet(padded, step, token, torch.zeros(len(shown), 1)).sample
            latents = scheduler.step(v, step, latents, generator=noise).prev_sample
        decoded = vae.decode(latents.flatten(0, 1) / vae.config.scaling_factor).sample
    return ((decoded.mean(1) + 1) * 128).clamp(0, 255).unflatten(0, (len(shown), FRAMES))


def test_an_ef_conditioned_pipeline_samples_as_published_and_survives_saving(published, tmp_path):
    pipeline = import_pipeline(str(published), EF_LAYOUT)
    assert (pipeline.mafe, pipeline.reid, pipeline.transport) == (None, None, None)
    pipeline.save_pretrained(tmp_path)
    again = MCDMPipeline.from_pretrained(str(tmp_path))
    wanted = {
        "frames": FRAMES, "rate": 32.0, "size": 112, "code": "ef", "sampler": "ddpm", "steps": 64, "detail": False,
        "reference": "any", "preset": "echonet-synthetic",
    }  # fmt: skip
    assert {key: again.config[key] for key in wanted} == wanted
    assert again.vae.config["scaling_factor"] == SCALING and again.vae.zero_at == 128
    assert not again.is_relative and isinstance(again.scheduler, DDPMScheduler)
    again.set_progress_bar_config(disable=True)
    shown, token = frames(2), torch.tensor([[[0.3]], [[0.7]]])
    made = again(shown, token, num_inference_steps=5, generator=torch.Generator().manual_seed(1)).clips
    theirs = as_published(published, token, shown, 5, torch.Generator().manual_seed(1))
    assert made.shape == (2, FRAMES, 112, 112)
    assert (made.float() - theirs).abs().max() <= 0.5 + 1e-2, "half a grey level of rounding"
    other = again(shown, token.flip(0), num_inference_steps=5, generator=torch.Generator().manual_seed(1)).clips
    assert not torch.equal(made, other), "the EF has a say"


def test_mcdms_layout_takes_the_motion_vector_of_its_mafe(tmp_path):
    with torch.random.fork_rng([]):
        mafe = MAFE(4, (1, 1, 1, 1, 1), (1, 2), channels=3)
    root = write_layout(tmp_path, token=2 * mafe.vector_size, unet="unet_ema")
    pipeline = import_pipeline(str(root), MCDM_LAYOUT, mafe=mafe, rate=20.0, name="mine")
    assert [pipeline.config[key] for key in ("code", "rate", "steps", "preset")] == ["vector", 20.0, 128, "mine"]
    unet = UNetSpatioTemporalConditionModel.from_pretrained(root / "unet_ema")
    for name, value in unet.state_dict().items():
        assert torch.equal(value, pipeline.denoiser.unet.state_dict()[name])
    with pytest.raises(EchoAugmentError, match=r"there is no MAFE.*Give mafe=FILE"):
        import_pipeline(str(root), MCDM_LAYOUT)
    with pytest.raises(EchoAugmentError, match=r"its token has \d+ numbers, an EF is one"):
        import_pipeline(str(write_layout(tmp_path / "ef", token=8)), EF_LAYOUT)
    with pytest.raises(EchoAugmentError, match=r"has 1 numbers, this MAFE's motion vector has"):
        import_pipeline(str(write_layout(tmp_path / "one")), MCDM_LAYOUT, mafe=mafe)


@pytest.mark.parametrize(
    ("part", "made", "message"),
    [
        ("vae", {"drop": "decoder.conv_out.bias"}, r"vae: the weight decoder\.conv_out\.bias is missing"),
        ("lvdm", {"drop": "conv_in.weight"}, r"lvdm: the weight conv_in\.weight is missing"),
        ("lvdm", {"add": "more"}, "lvdm: no network of this kind has the weight more"),
    ],
)
def test_the_first_wrong_weight_is_named(tmp_path, part, made, message):
    root = write_layout(tmp_path)
    change(root / part, **made)
    with pytest.raises(EchoAugmentError, match=message):
        import_pipeline(str(root), EF_LAYOUT)


def test_folders_that_were_mixed_up_are_refused(published, tmp_path):
    (tmp_path / "vae").symlink_to(published / "lvdm")
    (tmp_path / "lvdm").symlink_to(published / "vae")
    with pytest.raises(EchoAugmentError, match="vae: is a UNetSpatioTemporalConditionModel, not a AutoencoderKL"):
        import_pipeline(str(tmp_path), EF_LAYOUT)


@pytest.mark.slow
def test_at_full_size(tmp_path):
    """The Hub's own sizes: 62.4 and 189.4 M parameters."""
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    AutoencoderKL(block_out_channels=(128, 256, 256, 512), layers_per_block=2, **blocks).save_pretrained(
        tmp_path / "vae"
    )
    UNetSpatioTemporalConditionModel(
        sample_size=14,
        num_frames=64,
        in_channels=8,
        out_channels=4,
        block_out_channels=(128, 256, 256, 512),
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * 3 + ("DownBlockSpatioTemporal",),
        up_block_types=("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * 3,
        addition_time_embed_dim=1,
        projection_class_embeddings_input_dim=1,
        cross_attention_dim=1,
        num_attention_heads=(8, 16, 16, 32),
    ).save_pretrained(tmp_path / "lvdm")
    pipeline = import_pipeline(str(tmp_path), EF_LAYOUT)
    assert round(pipeline.vae.num_parameters() / 1e6, 1) == 62.4
    assert pipeline.config["frames"] == 64 and pipeline.config["size"] == 112
