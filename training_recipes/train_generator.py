"""``echo-augment train-generator``: MCDM from a dataset folder, in stages that resume and are skipped once done."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL
from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.mcdm.codec import build_codec, decode, encode
from echo_augment.augmentor.mcdm.denoiser import MotionDenoiser
from echo_augment.augmentor.mcdm.fingerprint import hash_weights
from echo_augment.augmentor.mcdm.generate import TRAINED_ON
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.motion import CODE_SIZE
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.mcdm.precision import fast_dtype
from echo_augment.augmentor.mcdm.reid import ReIDEncoder
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.files import write_json

from .dataset import dataset_root
from .generator.card import write_card
from .generator.denoising import Windows, denoising_loss, noise_scheduler, write_codes, write_latents
from .generator.prepared import Prepared, prepare
from .generator.pseudo import PseudoLabels, write_pseudo
from .generator.stages import (
    CODEC,
    PAIRS,
    REID,
    WINDOWS,
    codec_loss,
    frame_batch,
    mafe_loss,
    pair_batch,
    reid_step,
    train,
)
from .reporting import write_report


class Stages:
    """Runs the stages in order, keeps their figures in ``<out>/stages.json`` and skips those that are done.

    Args:
        out: folder of the run.
        settings: of the whole run; a folder begun with others is refused, so that no result mixes two.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.path = out / "stages.json"
        self.settings = settings
        self.done: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            state = json.loads(self.path.read_text(encoding="utf-8"))
            if state["settings"] != settings:
                changed = sorted(key for key in settings if settings[key] != state["settings"].get(key))
                raise EchoAugmentError(
                    f"{out} holds a run with other settings ({', '.join(changed)})", "Choose another out="
                )
            self.done = state["done"]

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of a stage: from the file where it is done, else by doing it."""
        if name in self.done:
            print(f"{name}: done before")
            return self.done[name]
        started = time.perf_counter()
        figures = work()
        figures["seconds"] = round(figures.get("seconds", time.perf_counter() - started), 1)
        self.done[name] = figures
        write_json(self.path, {"settings": self.settings, "done": self.done})
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        return figures


def choose_precision(wanted: str, device: str) -> str:
    """``auto`` is bf16 wherever the hardware multiplies it fast, fp16 on older GPUs, else full precision."""
    if wanted != "auto":
        return wanted
    found = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return "bf16" if fast_dtype(found) == torch.bfloat16 else "fp16" if found == "cuda" else "no"


def watched_frames(data: Prepared, count: int = 64) -> torch.Tensor:
    """Frames of the watched hearts, ``(N, H, W)`` uint8: their ED and ES frames."""
    return torch.from_numpy(np.stack([heart.frames[i] for heart in data.watched for i in (heart.ed, heart.es)][:count]))


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    """Mean over images of the peak signal-to-noise ratio in dB, uint8 ``(N, H, W)``."""
    error = (first.float() - second.float()).pow(2).mean((-1, -2)).clamp_min(1e-3)
    return float((20 * np.log10(255) - 10 * error.log10()).mean())


def run(cfg: DictConfig) -> None:
    """Train every stage and write the pipeline to ``<out>/generator``."""
    out = Path(cfg.out)
    rows = training_rows(cfg)
    settings: dict[str, Any] = {
        "preset": OmegaConf.to_container(cfg.preset, resolve=True),
        "seed": cfg.seed,
        "videos": hashlib.sha256("\n".join(row.name for row in rows).encode()).hexdigest()[:16],
    }
    stages = Stages(out, settings)
    data = prepare(rows, out / "hearts", rate=cfg.preset.rate, size=cfg.preset.size)
    print(
        f"{len(data.training)} hearts train, {len(data.watched)} are kept aside to watch, {len(data.skipped)} skipped"
    )
    accelerator = Accelerator(
        mixed_precision=choose_precision(cfg.precision, cfg.device),
        cpu=cfg.device == "cpu" or not torch.cuda.is_available(),
    )
    pipeline = train_stages(cfg.preset, data, stages, out, cfg.seed, accelerator)
    generator = out / "generator"
    # Half precision halves the files; from_pretrained widens them again.
    pipeline.to(torch.float16).save_pretrained(str(generator), safe_serialization=True)
    forget_paths(generator)
    write_json(generator / TRAINED_ON, data.hashes)
    fingerprint = hash_weights(generator)
    write_card(generator, cfg, data, stages.done, fingerprint)
    write_report(
        out,
        "train-generator",
        cfg,
        {"stages": stages.done, "hearts": len(data.training), "skipped": data.skipped, "seeds": [cfg.seed]}
        | {"fingerprint": fingerprint},
    )
    print(
        f"generator in {generator}; measure it with: echo-augment fidelity generator={generator} out={out / 'fidelity'}"
    )


def forget_paths(folder: Path) -> None:
    """Drop from a saved pipeline where its parts were loaded from: a path of this machine, and no part of the model."""
    for path in folder.glob("*/config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            write_json(path, config)


def training_rows(cfg: DictConfig) -> list[Any]:
    """The TRAIN videos, labelled or not; VAL and TEST never reach the generator."""
    return read_table(dataset_root(cfg.data)).split("TRAIN")


def train_stages(
    preset: DictConfig, data: Prepared, stages: Stages, out: Path, seed: int, accelerator: Accelerator
) -> MCDMPipeline:
    """Codec, re-ID, pseudo labels, MAFE, latents and codes, denoiser; the finished pipeline."""
    device = accelerator.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        codec = build_codec(tuple(preset.codec.channels), preset.codec.layers)
        reid = ReIDEncoder(preset.reid.width, preset.reid.embedding)
        mafe = MAFE(
            preset.mafe.width,
            tuple(preset.mafe.depths),
            tuple(preset.mafe.heads),
            preset.mafe.window,
            preset.size,
            preset.reid.embedding,
        )
        denoiser = build_denoiser(preset, mafe)
    common: dict[str, Any] = {"seed": seed, "out": out / "checkpoints", "accelerator": accelerator}

    def train_codec() -> dict[str, Any]:
        settings = preset.codec
        result = train(
            codec,
            lambda rng: frame_batch(data, rng, settings.hearts, settings.each).flatten(0, 1),
            codec_loss(settings.kl),
            settings,
            name="codec",
            stream=CODEC,
            **common,
        )
        frames = watched_frames(data)
        latents = encode(codec, frames)
        codec.register_to_config(scaling_factor=float(1 / latents.std()))
        restored = decode(codec, encode(codec, frames)).cpu()
        codec.save_pretrained(out / "codec")
        return {"steps": result.steps, "seconds": result.seconds, "psnr": psnr(restored, frames)}

    stages.run("codec", train_codec)
    codec = AutoencoderKL.from_pretrained(out / "codec").to(device).eval()

    def train_reid() -> dict[str, Any]:
        settings = preset.reid
        result = train(
            reid,
            lambda rng: frame_batch(data, rng, settings.hearts, 2),
            reid_step,
            settings,
            name="reid",
            stream=REID,
            **common,
        )
        reid.save_pretrained(out / "reid")
        return {"steps": result.steps, "seconds": result.seconds, "nearest": nearest_share(reid, data)}

    stages.run("reid", train_reid)
    reid = ReIDEncoder.from_pretrained(out / "reid").to(device).eval()

    def make_pseudo() -> dict[str, Any]:
        write_pseudo(data, reid, out / "pseudo.h5")
        return {"hearts": len(data.training)}

    stages.run("pseudo", make_pseudo)

    def train_mafe() -> dict[str, Any]:
        settings = preset.mafe
        labels = PseudoLabels(out / "pseudo.h5")
        result = train(
            mafe,
            lambda rng: pair_batch(data, labels, rng, settings.batch, settings.reach),
            mafe_loss(settings.losses.reid, settings.losses.flow),
            settings,
            name="mafe",
            stream=PAIRS,
            **common,
        )
        mafe.save_pretrained(out / "mafe")
        kept = {key: result.losses[key] for key in ("psnr", "flow", "reid")}
        return {"steps": result.steps, "seconds": result.seconds, **kept}

    stages.run("mafe", train_mafe)
    mafe = MAFE.from_pretrained(out / "mafe").to(device).eval()

    def make_inputs() -> dict[str, Any]:
        write_latents(data, codec, out / "latents.npy")
        write_codes(data, mafe, preset.code, out / "codes.npy")
        return {"frames": data.total}

    stages.run("inputs", make_inputs)
    windows = Windows(
        data, out / "latents.npy", out / "codes.npy", frames=preset.frames, vector=preset.code == "vector"
    )

    def train_denoiser() -> dict[str, Any]:
        settings = preset.denoiser
        denoiser.register_to_config(motion_scale=windows.scale)
        result = train(
            denoiser,
            lambda rng: windows.draw(rng, settings.batch),
            denoising_loss(settings.noise_offset, settings.drop),
            settings,
            name="denoiser",
            stream=WINDOWS,
            **common,
        )
        denoiser.save_pretrained(out / "denoiser")
        return {"steps": result.steps, "seconds": result.seconds, "loss": result.losses["loss"]}

    stages.run("denoiser", train_denoiser)
    denoiser = MotionDenoiser.from_pretrained(out / "denoiser").to(device).eval()
    return MCDMPipeline(
        codec,
        denoiser,
        mafe,
        reid,
        noise_scheduler(),
        frames=preset.frames,
        rate=preset.rate,
        size=preset.size,
        code=preset.code,
        code_mean=tuple(float(value) for value in windows.mean),
        code_std=tuple(float(value) for value in windows.std),
        preset=preset.name,
    )


def build_denoiser(preset: DictConfig, mafe: MAFE) -> MotionDenoiser:
    """The denoiser of a preset; its code size follows from where the codes come from."""
    settings = preset.denoiser
    return MotionDenoiser(
        tuple(settings.channels),
        tuple(settings.attention),
        tuple(settings.heads),
        settings.layers,
        motion=settings.motion,
        code_size=2 * mafe.vector_size if preset.code == "vector" else CODE_SIZE,
        cross_attention_dim=settings.cross_attention_dim,
    )


def nearest_share(reid: ReIDEncoder, data: Prepared) -> float:
    """Share of watched hearts whose ES frame lies nearest to their own ED frame among all watched ED frames."""
    with torch.no_grad():
        sides = [
            reid(
                torch.from_numpy(np.stack([h.frames[getattr(h, side)] for h in data.watched]))[:, None]
                .to(reid.device)
                .float()
                / 255
            )
            for side in ("ed", "es")
        ]
    nearest = (sides[1] @ sides[0].T).argmax(1).cpu()
    return float((nearest == torch.arange(len(nearest))).float().mean())
