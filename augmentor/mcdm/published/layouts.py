"""How published weights lie in their folder or Hub repository, and what their makers' scripts set beside them."""

from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache.arguments import HUB_ID
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs

from ..denoiser import BETAS, TIMESTEPS

with needs("generate"):
    from diffusers.schedulers import DDPMScheduler

HUB = "hub:"
CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A published pipeline: two subfolders, each with ``config.json`` and ``diffusion_pytorch_model.safetensors``.

    Attributes:
        name: as it is asked for.
        vae: subfolder of the autoencoder.
        unets: subfolders of the denoiser; the first that is there counts.
        code: what its cross-attention token is: ``ef`` (EF / 100) or ``vector`` (MAFE's motion vector).
        rate: frames per second of its clips.
        steps: of DDPM, in its makers' sampling script.
    """

    name: str
    vae: str
    unets: tuple[str, ...]
    code: str
    rate: float
    steps: int


LAYOUTS = {
    "echonet-synthetic": Layout(
        name="echonet-synthetic", vae="vae", unets=("lvdm",), code="ef", rate=32.0, steps=64
    ),  # HReynaud/EchoNet-Synthetic: echosyn/lvdm/configs/default.yaml, sample.py
    "mcdm": Layout(
        name="mcdm", vae="vae", unets=("lvdm", "unet_ema", "unet"), code="vector", rate=16.0, steps=128
    ),  # ZheLi2020/LabelfreeMCDM: echosyn/lvdm/configs/default_uncondition.yaml, sample_motion.py
}


def published_scheduler() -> DDPMScheduler:
    """Return the diffusion of EchoNet-Synthetic and MCDM, with which both train and sample."""
    return DDPMScheduler(
        num_train_timesteps=TIMESTEPS,
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        beta_schedule="linear",
        variance_type="fixed_small",
        prediction_type="v_prediction",
        clip_sample=True,
        clip_sample_range=4.0,
        timestep_spacing="leading",
        steps_offset=0,
    )


def find_weights(source: str, layout: Layout) -> tuple[Path, Path]:
    """Return the folders of autoencoder and denoiser; a Hub repository's are downloaded to its cache first.

    Args:
        source: a folder, or a Hub id (``owner/name`` or ``hub:owner/name``).
        layout: what is expected there.

    Raises:
        EchoAugmentError: nothing there, or a file of the layout is missing; the first one is named.
    """
    root = Path(source)
    if not root.exists():
        root = download(source, layout)
    unet = next((root / name for name in layout.unets if (root / name).is_dir()), root / layout.unets[0])
    for folder in (root / layout.vae, unet):
        for file in (CONFIG, WEIGHTS):
            if not (folder / file).is_file():
                raise EchoAugmentError(
                    f"from={layout.name}: {folder / file} is missing",
                    f"There must be {layout.vae}/ and {' or '.join(f'{one}/' for one in layout.unets)} in {source}, "
                    f"each with {CONFIG} and {WEIGHTS}",
                )
    return root / layout.vae, unet


def download(source: str, layout: Layout) -> Path:
    """Return the folder in the Hub's cache with a repository's weights.

    Raises:
        EchoAugmentError: neither a folder nor a Hub id, or the Hub does not give it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    bare = source.removeprefix(HUB)
    if not HUB_ID.fullmatch(bare):
        raise EchoAugmentError(f"data={source}: there is no such folder, and it is no Hub id", "Give owner/name")
    wanted = [f"{folder}/{file}" for folder in (layout.vae, *layout.unets) for file in (CONFIG, WEIGHTS)]
    try:
        return Path(snapshot_download(bare, allow_patterns=wanted))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EchoAugmentError(
            f"data={source}: there is no such folder, and the Hub does not give it ({first})",
            "Check the name, the network and, for a private repository, huggingface-cli login",
        ) from error
