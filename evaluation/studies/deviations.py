"""``docs/concepts/deviations.md``: where preset ``paper`` is not MCDM's reference, by its settings and in words.

    python -m echo_augment.evaluation.studies.deviations docs/concepts/deviations.md

The reference is its published code: ZheLi2020/LabelfreeMCDM at 04deacc, MCG-NJU/EMA-VFI at 75b6f6a,
HReynaud/EchoNet-Synthetic at f21198d.
"""

import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from omegaconf import OmegaConf

from echo_augment.training_recipes.common.text import markdown_table

Value = str | int | float | bool | list[int] | list[bool]

REFERENCE: dict[str, Value] = {
    "frames": 64,
    "rate": 16,
    "size": 112,
    "code": "vector",
    "sampler_steps": 128,
    "sampler": "ddpm",
    "detail": False,
    "codec.channels": [128, 256, 256, 512],
    "codec.layers": 2,
    "codec.images": 3,
    "codec.attention": True,
    "codec.groups": 32,
    "codec.half_range": 128,
    "codec.kl": 2.0833e-8,
    "codec.pyramid": 0,
    "codec.lpips": 1,
    "codec.gan": 0.5,
    "codec.gan_start": 50001,
    "codec.schedule": "constant",
    "codec.lr": 5e-4,
    "codec.hearts": 256,
    "mafe.width": 32,
    "mafe.depths": [2, 2, 2, 4, 4],
    "mafe.heads": [8, 16],
    "mafe.window": 7,
    "mafe.channels": 3,
    "mafe.losses.reid": 1.0,
    "mafe.losses.flow": 0.01,
    "mafe.batch": 8,
    "mafe.steps": 93400,
    "mafe.lr": 2e-4,
    "mafe.warmup": 2000,
    "mafe.horizon": 280200,
    "mafe.weight_decay": 1e-4,
    "denoiser.channels": [128, 256, 256, 512],
    "denoiser.attention": [True, True, True, False],
    "denoiser.heads": [8, 16, 16, 32],
    "denoiser.layers": 2,
    "denoiser.motion": "vector",
    "denoiser.cross_attention_dim": 3072,
    "denoiser.absolute": True,
    "denoiser.reference": "any",
    "denoiser.clip_range": 4,
    "denoiser.spacing": "leading",
    "denoiser.noise_offset": 0.1,
    "denoiser.offset_each": "clip",
    "denoiser.drop": 0,
    "denoiser.batch": 32,
    "denoiser.steps": 1_000_000,
    "denoiser.lr": 1e-4,
    "denoiser.warmup": 500,
    "denoiser.schedule": "constant",
    "denoiser.weight_decay": 0.01,
    "denoiser.ema": 0.9999,
}
"""The reference's values, by the settings of a preset."""

WHY = {
    "codec.lr": "For the smaller batch.",
    "codec.hearts": "Fits one GPU; theirs is 2 x 32 on about 4 GPUs, as a comment on the learning rate says.",
    "denoiser.batch": "One GPU; theirs is 16 on each of 2 or more.",
    "denoiser.steps": "A tenth of the clips; not trained here.",
}
"""Why a setting of ``paper`` is another one."""

WORDS = (
    (
        "codec, LPIPS",
        "downloads VGG-16's weights",
        "weights of `preset.codec.lpips_weights`; without, it is left out, as log and card say",
        "they do not come with this package, and nothing is downloaded unasked",
    ),
    (
        "codec, optimisers",
        "two Adam, betas 0.5 and 0.9",
        "one AdamW, betas 0.9 and 0.999",
        "one optimiser, one checkpoint",
    ),
    (
        "codec, frames",
        "of every video, TEST, too",
        "of TRAIN",
        "no held-out video reaches a generator",
    ),
    (
        "codec, scaling factor",
        "as configured",
        "fitted to standard deviation 1",
        "the diffusion starts from a known unit; an imported codec keeps its own",
    ),
    (
        "latents",
        "a sample, or the mean, of the posterior",
        "the mean",
        "the same video has the same latents",
    ),
    (
        "motion vector's unit",
        "as it is",
        "standardised over TRAIN",
        "a token of unit size; imported generators get it as it is",
    ),
    (
        "motion vector's frames",
        "the two traced ones",
        "ED and ES as found in the video",
        "no label is read",
    ),
    (
        "reference frame",
        "any of the video",
        "any of those at the generator's rate",
        "their latents are at hand",
    ),
    (
        "short videos",
        "left out",
        "padded, and masked in the loss",
        "no TRAIN video is lost",
    ),
    (
        "masked loss",
        "divided by all frames, one padded frame too many",
        "mean over the frames that exist",
        "a slip there",
    ),
    (
        "timesteps in training",
        "uniform",
        "one a stratum",
        "the loss of a batch varies less",
    ),
    (
        "fresh flow heads of MAFE",
        "PyTorch's weights; slopes of a quarter",
        "frames count ten times as much, slopes begin at 1",
        "a small network learns flow sooner",
    ),
    (
        "re-ID and flow loss of MAFE",
        "in no commit",
        "our reading, with alternatives as settings",
        "never published; [measured beside the others](../evidence/mafe-forms.md)",
    ),
    (
        "re-ID model",
        "Siamese ResNet-50 on latents, pairs",
        "a convolutional net on frames, InfoNCE",
        "one model for MAFE and the privacy gate",
    ),
    (
        "flow that teaches MAFE",
        "UnSAMFlow with MedSAM masks",
        "OpenCV's DIS",
        "needs no weights",
    ),
    (
        "frames that train MAFE",
        "the two traced and their middle",
        "ED, any frame within reach and their middle",
        "no label is read, more pairs",
    ),
    (
        "augmentation of MAFE",
        "frames are turned, targets are not",
        "targets move along",
        "a slip there",
    ),
    (
        "gradients of MAFE",
        "not clipped in EMA-VFI's trainer; MCDM's is in no commit",
        "clipped at norm 1",
        "as every network's here",
    ),
    (
        "weights of MAFE that are kept",
        "best PSNR of the middle frame on VAL",
        "the same on TRAIN videos kept aside",
        "no held-out video reaches a generator",
    ),
    (
        "PSNR and SSIM of MAFE's middle frame",
        "on VAL, mean and standard deviation",
        "on TRAIN videos kept aside, mean",
        "no held-out video reaches a generator",
    ),
    (
        "EF of a clip",
        "0",
        "the motion donor's, transported",
        "an augmented data set needs a label",
    ),
    (
        "FVD, FID and IS",
        "StyleGAN-V's scripts, on JPEG frames",
        "`fidelity clips=FOLDER metrics.weights=FOLDER`, on the frames of a cache or of videos",
        "the same networks and formulas, in one command, with a floor",
    ),
    (
        "videos longer than a window",
        "the later window keeps its second half",
        "a weighted mean of both",
        "no joint shows",
    ),
    (
        "gray levels",
        "cut to whole numbers",
        "rounded",
        "no bias of half a level",
    ),
    (
        "sampled pairs",
        "reference frame and motion of the same video",
        "of two videos",
        "re-enactment is what is measured here",
    ),
)
"""What no setting says: what it is about, the reference's way, ours, and why."""


def paper() -> dict[str, Value]:
    """Return the settings of preset ``paper`` by their paths, as far as `REFERENCE` has them."""
    source = files("echo_augment.training_recipes.conf").joinpath("preset", "paper.yaml")
    found = OmegaConf.create(source.read_text(encoding="utf-8"))
    plain = {path: OmegaConf.select(found, path) for path in REFERENCE}
    return {path: list(value) if OmegaConf.is_list(value) else value for path, value in plain.items()}


def differences() -> dict[str, tuple[Value, Value]]:
    """Return the reference's value and ours of every setting that differs."""
    return {path: (REFERENCE[path], value) for path, value in paper().items() if value != REFERENCE[path]}


def page() -> str:
    """Return the page's text.

    Raises:
        KeyError: a setting differs, and `WHY` does not say why.
    """
    shown = [[f"`{path}`", str(theirs), str(ours), WHY[path]] for path, (theirs, ours) in differences().items()]
    words = [[about, theirs, ours, f"{why[:1].upper()}{why[1:]}."] for about, theirs, ours, why in WORDS]
    head = ["", "reference", "`paper`", "why"]
    same = ", ".join(f"`{path}`" for path in REFERENCE if path not in differences())
    return (
        "# Where preset `paper` is not the reference\n\n"
        "Written by `python -m echo_augment.evaluation.studies.deviations`; a test holds it equal to the settings. "
        "The reference is the published code of MCDM (ZheLi2020/LabelfreeMCDM), EMA-VFI and EchoNet-Synthetic. `tiny` "
        "and `base` are this project's own: one motion code a frame, and whatever else their files say. Nothing of "
        "`paper` was trained here.\n\n"
        f"## Settings that differ\n\n{markdown_table(head, shown)}\n\n"
        f"## What no setting says\n\n{markdown_table(head, words)}\n\n"
        f"## Settings that are the reference's\n\n{same}.\n"
    )


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.deviations PAGE``; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m echo_augment.evaluation.studies.deviations PAGE", file=sys.stderr)
        return 2
    try:
        Path(arguments[0]).write_text(page(), encoding="utf-8")
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
