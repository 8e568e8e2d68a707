"""``echo-augment train-generator``: MCDM from a dataset folder, in stages that resume and are skipped once done."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from omegaconf import DictConfig, OmegaConf

from echo_augment.augmentor.data import VideoInfo, probe_video, read_table
from echo_augment.augmentor.devices import fast_dtype
from echo_augment.augmentor.mcdm.codec import load_codec
from echo_augment.augmentor.mcdm.fingerprint import hash_network, hash_weights
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, refuse_trained_on
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json

from ..common.dataset import DataSettings, dataset_root, held_out_videos
from ..common.reporting import write_report
from ..common.settings import settings_from
from ..generator.card import write_card
from ..generator.prepare import Prepared, prepare
from ..generator.settings import FOLDERS, Options, ablate, check_stages, read_options
from ..generator.source_generator import Teacher, load_teacher, take_networks
from ..generator.stages import HEARTS, Stages
from ..generator.training import GeneratorTraining
from ..training.logging import check_trackers


def choose_precision(wanted: str, device: str) -> str:
    """``auto`` is bf16 wherever the hardware multiplies it fast, fp16 on older GPUs, else full precision."""
    if wanted != "auto":
        return wanted
    found = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return "bf16" if fast_dtype(found) == torch.bfloat16 else "fp16" if found == "cuda" else "no"


def run(cfg: DictConfig) -> None:
    """Train every stage and write the pipeline to ``<out>/generator``; ``+only=mafe`` stops after that stage.

    A student goes to ``<out>/generator-student``; with ``+distil=`` that is all.
    """
    out, options = Path(cfg.out), read_options(cfg)
    check_trackers(options.log)
    codec = None if options.codec is None else load_codec(options.codec)
    preset = ablate(cfg.preset, options.losses)
    teacher = None if options.distil is None else load_teacher(options.distil, preset)
    check_stages(preset, options)
    rows = training_rows(cfg)
    if teacher is not None:
        refuse_trained_on(
            teacher.folder, held_out_videos(read_table(dataset_root(settings_from(cfg.data, DataSettings))))
        )
    plain: dict[str, Any] = OmegaConf.to_container(preset, resolve=True)  # type: ignore[assignment]
    settings: dict[str, Any] = {
        "preset": {key: value for key, value in plain.items() if key != "sampler_steps"},  # that decides no weights
        "seed": cfg.seed,
        "videos": hashlib.sha256("\n".join(row.name for row in rows).encode()).hexdigest()[:16],
        **options.settings(),
        **({} if codec is None else {"codec": hash_network(codec)}),
        **({} if teacher is None else {"teacher": teacher.hash}),
    }
    accelerator = open_accelerator(cfg, options, out)
    stages = Stages(out, settings, writes=accelerator.is_main_process)
    with accelerator.main_process_first():  # the others then find what it has taken and decoded
        if options.reuse is not None:
            stages = take_stages(stages, Path(options.reuse), options.stages(preset), rows)
        if teacher is not None:
            stages = take_networks(stages, teacher.pipeline)
        data = prepare(rows, out / "hearts", rate=preset.rate, size=preset.size)
    print(
        f"{len(data.training)} hearts train, {len(data.watched)} are kept aside to watch, {len(data.skipped)} skipped"
    )
    pipeline = None if teacher is None else teacher.pipeline
    training = GeneratorTraining(preset, data, stages, out, cfg.seed, accelerator, options, codec, pipeline)
    training.run()
    accelerator.end_training()
    if accelerator.is_main_process:
        finish(cfg, options, training, data, settings, teacher)


def take_stages(stages: Stages, other: Path, wanted: Sequence[str], rows: Sequence[VideoInfo]) -> Stages:
    """What of another run serves here, taken by the process that writes; the others read what it has taken.

    Raises:
        EchoAugmentError: as `Stages.reuse`; or the other run saw other videos under the same names.
    """
    if not stages.writes:
        return Stages(stages.out, stages.settings, writes=False)
    table = other / HEARTS
    if table.is_file():
        found = json.loads(table.read_text(encoding="utf-8"))
        seen = dict(zip((heart["name"] for heart in found["hearts"]), found["hashes"]["first"], strict=True))
        for row in rows:
            if row.name in seen and probe_video(row.path).first != seen[row.name]:
                raise EchoAugmentError(
                    f"reuse={other}: {row.name} was another video there than {row.path}", "Leave reuse out"
                )
    taken = stages.reuse(other, wanted)
    print(f"taken from {other}: {', '.join(taken) or 'nothing more'}")
    return stages


def open_accelerator(cfg: DictConfig, options: Options, out: Path) -> Accelerator:
    """Devices, precision and accumulation as configured; trackers write below ``<out>/logs``."""
    accelerator = Accelerator(
        mixed_precision=choose_precision(cfg.precision, cfg.device),
        cpu=cfg.device == "cpu" or not torch.cuda.is_available(),
        gradient_accumulation_steps=options.accumulate,
        log_with=list(options.log) or None,
        project_dir=out,
    )
    if options.log:
        (out / "logs").mkdir(parents=True, exist_ok=True)
        accelerator.init_trackers("logs", init_kwargs={"wandb": {"dir": str(out / "logs")}})
    return accelerator


def finish(
    cfg: DictConfig,
    options: Options,
    training: GeneratorTraining,
    data: Prepared,
    settings: dict[str, Any],
    teacher: Teacher | None = None,
) -> None:
    """Write the pipeline, its card and the report; of a part of the stages the report alone."""
    out = Path(cfg.out)
    wanted = options.stages(cfg.preset)
    done = {name: figures for name, figures in training.stages.done.items() if name in wanted}
    figures: dict[str, Any] = {"stages": done, "hearts": len(data.training), "skipped": data.skipped}
    figures |= {"seeds": [cfg.seed]} | {
        key: settings[key] for key in ("codec", "teacher", "accumulate") if key in settings
    }
    if options.losses is not None:
        figures["losses"] = {"name": options.losses, **settings["preset"]["mafe"]["losses"]}
    if options.only not in FOLDERS:
        write_report(out, "train-generator", cfg, figures)
        print(f"stage {options.only} is done; its figures are in {out / 'report.json'}")
        return
    generator = out / FOLDERS[options.only]
    # Half precision halves the files; from_pretrained widens them again.
    training.pipeline().to(torch.float16).save_pretrained(str(generator), safe_serialization=True)
    forget_paths(generator)
    write_json(generator / TRAINED_ON, data.hashes if teacher is None else teacher.trained_on_too(data.hashes))
    fingerprint = hash_weights(generator)
    write_card(generator, cfg, data, done, fingerprint, options=options, settings=settings)
    write_report(out, "train-generator", cfg, {**figures, "fingerprint": fingerprint})
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
    return read_table(dataset_root(settings_from(cfg.data, DataSettings))).split("TRAIN")
