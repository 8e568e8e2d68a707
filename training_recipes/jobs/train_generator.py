"""``echo-augment train-generator``: MCDM from a dataset folder, in stages that resume and are skipped once done."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from omegaconf import DictConfig

from echo_augment.augmentor.data import VideoInfo, probe_video, read_table
from echo_augment.augmentor.devices import best_device, fast_dtype
from echo_augment.augmentor.mcdm.codec import load_codec
from echo_augment.augmentor.mcdm.fingerprint import hash_network, hash_weights
from echo_augment.augmentor.mcdm.training_videos import refuse_trained_on
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.cache.system.progress import say

from ..common.dataset import dataset_files, held_out_videos
from ..common.reporting import REPORT, plain, versions, write_report
from ..common.settings import register, settings_from
from ..generator.card import write_card
from ..generator.context import StageContext, run_stages
from ..generator.distil.source_generator import SourceGenerator, load_source, load_start, take_networks
from ..generator.ledger import VIDEO_TABLE, VIDEOS, Ledger, RunSettings
from ..generator.networks import build_networks, build_pipeline
from ..generator.prepare import Prepared, prepare
from ..generator.settings import GeneratorSettings
from ..generator.stages import Figures
from ..judging.kept_aside import judge_kept_aside
from ..training.logging import check_trackers
from ..training.setup import crew_of, make_accelerator


def run(cfg: DictConfig) -> None:
    """Train every stage and write the pipeline to ``<out>/generator``; ``only=mafe`` stops after that stage.

    A student goes to ``<out>/generator-student``; with ``distil=`` that is all.
    """
    settings = settings_from(cfg, GeneratorSettings)
    check_trackers(settings.trackers)
    codec = None if settings.codec is None else load_codec(settings.codec)
    source = None if settings.distil is None else load_source(settings.distil, settings.preset)
    table = read_table(dataset_files(settings.data))
    rows = table.split("TRAIN")  # labelled or not; VAL and TEST never reach the generator
    with torch.random.fork_rng(list(range(torch.cuda.device_count()))):
        torch.manual_seed(settings.seed)
        networks = build_networks(settings.preset)
    start = None if settings.start is None else load_start(settings.start, settings.preset, networks)
    if (before := source or start) is not None:
        refuse_trained_on(before.folder, held_out_videos(table))
    decided = RunSettings(
        preset=settings.with_losses().plain(),
        seed=settings.seed,
        videos=hashlib.sha256("\n".join(row.name for row in rows).encode()).hexdigest()[:16],
        accumulate=settings.batches_a_step if settings.batches_a_step > 1 else None,
        codec=None if codec is None else hash_network(codec),
        teacher=None if source is None else source.hash,
        start=None if start is None else start.hash,
    )
    accelerator = open_accelerator(settings)
    ledger, data = begin(settings, decided, rows, source, accelerator)
    if accelerator.is_main_process:
        videos = f"{len(data.training)} videos train, {len(data.watched)} are kept aside to watch"
        say(f"{videos}, {len(data.skipped)} skipped")
    context = StageContext(
        settings=settings,
        data=data,
        networks=networks,
        accelerator=accelerator,
        out=ledger.out,
        codec=codec,
        source=source,
        start=start,
    )
    run_stages(context, ledger)
    accelerator.end_training()
    if accelerator.is_main_process:
        finish(context, ledger)


def open_accelerator(settings: GeneratorSettings) -> Accelerator:
    """Return the devices, precision and accumulation of the settings; trackers write below ``<out>/logs``."""
    accelerator = make_accelerator(
        settings.device,
        together=True,
        mixed_precision=choose_precision(settings.precision, settings.device),
        gradient_accumulation_steps=settings.batches_a_step,
        log_with=list(settings.trackers) or None,
        project_dir=settings.out,
    )
    if settings.trackers:
        logs = Path(settings.out) / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        accelerator.init_trackers("logs", init_kwargs={"wandb": {"dir": str(logs)}})
    return accelerator


def choose_precision(wanted: str, device: str) -> str:
    """Return ``wanted``; for ``auto`` bf16 if the hardware multiplies it fast, fp16 on older GPUs, else ``no``."""
    if wanted != "auto":
        return wanted
    found = torch.device(best_device(device))
    return "bf16" if fast_dtype(found) == torch.bfloat16 else "fp16" if found.type == "cuda" else "no"


def begin(
    settings: GeneratorSettings,
    decided: RunSettings,
    rows: Sequence[VideoInfo],
    source: SourceGenerator | None,
    accelerator: Accelerator,
) -> tuple[Ledger, Prepared]:
    """Open the ledger, take what another run or the source generator has, and decode the videos.

    One process takes, all share the decoding.
    """
    out = Path(settings.out)
    ledger = Ledger(out, decided, writes=accelerator.is_main_process)
    with accelerator.main_process_first():
        if settings.reuse is not None:
            ledger = take_stages(ledger, Path(settings.reuse), [stage.name for stage in settings.stages], rows)
        if source is not None:
            ledger = take_networks(ledger, source.pipeline)
    data = prepare(
        rows,
        out / VIDEOS,
        rate=settings.preset.rate,
        size=settings.preset.size,
        crew=crew_of(accelerator),
        workers=settings.workers,
    )
    return ledger, data


def take_stages(ledger: Ledger, other: Path, wanted: Sequence[str], rows: Sequence[VideoInfo]) -> Ledger:
    """Take the stages of another run that serve here, in the process that writes; the others read what it has taken.

    Raises:
        EchoAugmentError: as `Ledger.reuse`; or the other run saw other videos under the same names.
    """
    if not ledger.writes:
        return Ledger(ledger.out, ledger.settings, writes=False)
    table = other / VIDEO_TABLE
    if table.is_file():
        found = json.loads(table.read_text(encoding="utf-8"))
        seen = dict(zip((video["name"] for video in found["hearts"]), found["hashes"]["first"], strict=True))
        for row in rows:
            if row.name in seen and probe_video(row.path).first != seen[row.name]:
                raise EchoAugmentError(
                    f"reuse={other}: {row.name} was another video there than {row.path}", "Leave reuse out"
                )
    taken = ledger.reuse(other, wanted)
    say(f"taken from {other}: {', '.join(taken) or 'nothing more'}")
    return ledger


def finish(context: StageContext, ledger: Ledger) -> None:
    """Write the pipeline, its card and the report; the report alone if the last stage makes no pipeline."""
    settings, data, out, decided = context.settings, context.data, context.out, ledger.settings
    done = {stage.name: ledger.done[stage.name] for stage in settings.stages}
    skipped = [one._asdict() for one in data.skipped]
    figures = {"stages": done, "hearts": len(data.training), "skipped": skipped, "seeds": [settings.seed]}
    elsewhere = {
        "codec": decided.codec,
        "teacher": decided.teacher,
        "start": decided.start,
        "accumulate": decided.accumulate,
    }
    figures |= {key: value for key, value in elsewhere.items() if value is not None}
    if settings.losses is not None:
        figures["losses"] = {"name": settings.losses, **asdict(settings.weights())}
    if settings.pipeline_folder is None:
        write_report(out, "train-generator", settings, figures)
        print(f"stage {settings.last} is done; its figures are in {out / 'report.json'}")
        return
    generator = out / settings.pipeline_folder
    if is_finished(generator, settings, done):
        say(f"generator in {generator}: done before")
        return
    pipeline = build_pipeline(context)
    pipeline.set_progress_bar_config(disable=True)
    before = context.source or context.start
    aside = data.kept_aside(None if before is None else before.videos)
    judged = judge_kept_aside(pipeline, aside, settings.reenactment, seed=settings.seed)
    if judged is None:
        say(f"re-enactment is left out: {settings.reenactment.videos} videos asked for, {len(aside)} trained nothing")
    else:
        figures["reenactment"] = judged.to_json()
        pipeline.register_to_config(steps=judged.steps)
        print(f"\n{judged.text()}\n")
    # Half precision halves the files; from_pretrained widens them again.
    pipeline.to(torch.float16).save_pretrained(str(generator), safe_serialization=True)
    forget_paths(generator)
    videos = data.hashes if before is None else before.videos + data.hashes
    videos.write(generator)
    fingerprint = hash_weights(generator)
    write_card(generator, settings, decided, data, done, fingerprint, judged)
    write_report(out, "train-generator", settings, {**figures, "fingerprint": fingerprint})
    print(
        f"generator in {generator}; measure it with: echo-augment fidelity generator={generator} out={out / 'fidelity'}"
    )


def is_finished(generator: Path, settings: GeneratorSettings, stages: Mapping[str, Figures]) -> bool:
    """Return whether a run has written its pipeline, judged and whole, with the very same settings and stages.

    Args:
        generator: folder of the pipeline; the run's ``report.json`` is beside it.
        settings: the job's.
        stages: figures by stage.
    """
    path = generator.parent / REPORT
    if not path.is_file() or not generator.is_dir():
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    wanted = plain({"stages": stages, "versions": versions(), "config": asdict(settings)})
    same = all(found.get(key) == value for key, value in wanted.items())
    return same and found["fingerprint"] == hash_weights(generator)


def forget_paths(folder: Path) -> None:
    """Drop from a saved pipeline where its parts were loaded from: a path of this machine, and no part of the model."""
    for path in folder.glob("*/config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            write_json(path, config)


register("train-generator", GeneratorSettings)
