"""``echo-augment fidelity``: does a generated clip show the motion donor's EF in the appearance donor's image?"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig

from echo_augment.augmentor.data import read_table
from echo_augment.augmentor.mcdm.calls import check_sampler
from echo_augment.augmentor.mcdm.fingerprint import hash_weights
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.augmentor.predictors import Segmenter
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.common.contact_sheet import write_picture
from echo_augment.training_recipes.common.dataset import dataset_files
from echo_augment.training_recipes.common.reporting import write_report
from echo_augment.training_recipes.common.settings import register, settings_from
from echo_augment.training_recipes.judging.frechet import Extractor, load_extractor, reader_features
from echo_augment.training_recipes.judging.reader import EFReader, ReaderTraining, get_reader
from echo_augment.training_recipes.judging.sampling import Generated, Sampling, generate
from echo_augment.training_recipes.segmentation.teacher import load_segmenter

from .beats import phase_errors, traced_phase_errors
from .coverage import coverage, recognised, unlabelled
from .curve import step_curve
from .distances import carried, frechet_distances, mask_overlap
from .pairs import Pairs, draw_pairs
from .peers import measure_peers
from .plots import pair_film, pair_sheet, write_curve_plot, write_label_plot
from .reenacted import judge_videos
from .results import DETAILED, DISTANT, ROWS, FidelityReport, heart_rates, label_figures, row_figures
from .settings import FidelitySettings
from .spread import seed_spread
from .strength import check_amplitude, strengths
from .text import report_text, write_text

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
SHOWN = ("donor", "counterfactual", "generated", "codec")  # rows in the contact sheet and the GIF


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is measured, and what is used late but looked at before minutes of work.

    Attributes:
        pipeline: the generator.
        sampling: how its clips are sampled.
        fps: frames per second of its clips.
        image_size: side of its frames in pixels.
        segmenter: draws masks; None for none.
        extractor: gives features for the Fréchet distances; None for the EF reader's.
    """

    pipeline: MCDMPipeline
    sampling: Sampling
    fps: float
    image_size: int
    segmenter: Segmenter | None
    extractor: Extractor | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """The clips that are judged, and what is read in them.

    Attributes:
        pairs: what the clips should show.
        made: the generator's clips.
        clips: these and those they are held against, by row, ``(N, T, H, W)`` uint8.
        read: EF that the reader sees in each clip of a row, in percent, ``(N,)``.
    """

    pairs: Pairs
    made: Generated
    clips: Mapping[str, Clips]
    read: Mapping[str, Values]


def run(cfg: DictConfig) -> None:
    """Measure a generator on held-out phantom pairs: ``report.json``, ``fidelity.md``, plots, a sheet and a GIF.

    With ``clips=FOLDER`` measure ready-made clips against real videos; with ``data=echonet`` re-enact its videos.
    """
    settings = settings_from(cfg, FidelitySettings)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    if settings.clips is not None:
        found, sheet = measure_peers(settings)
        write_picture(out / "contact_sheet.png", sheet)
        write_report(out, "fidelity", cfg, found.to_json())
        write_text(out / "fidelity.md", found.text(), plots="Frames: `contact_sheet.png`.")
        print(f"\n{found.text()}\n")
        print(f"report in {out / 'report.json'} and {out / 'fidelity.md'}, frames in {out / 'contact_sheet.png'}")
        return
    subject = look_first(settings)
    if settings.data.name:
        reenacted = judge_videos(settings, subject.pipeline, subject.sampling, subject.segmenter)
        for name, picture in reenacted.pictures(settings.shown).items():
            write_picture(out / name, picture)
        write_report(out, "fidelity", cfg, reenacted.report.to_json())
        text = reenacted.report.text()
        write_text(out / "fidelity.md", text, plots="Frames: `contact_sheet.png`, `pairs.png`, `videos.gif`.")
        print(f"\n{text}\n")
        print(f"report in {out / 'report.json'} and {out / 'fidelity.md'}, frames in {out / 'contact_sheet.png'}")
        return
    reader = choose_reader(settings, subject, out)
    evidence = gather(settings, subject, reader)
    report = measure(settings, subject, reader, evidence)
    draw(out, settings.shown, subject.fps, report, evidence)
    write_report(out, "fidelity", cfg, report.to_json())
    text = report_text(report)
    write_text(out / "fidelity.md", text)
    print(f"\n{text}\n")
    print(f"report in {out / 'report.json'} and {out / 'fidelity.md'}, frames in {out / 'contact_sheet.png'}")


def look_first(settings: FidelitySettings) -> Subject:
    """Load the generator and whatever else can be refused before minutes of work.

    Raises:
        EchoAugmentError: a folder, the generator, the segmenter or the extractor cannot be used, or the generator
            cannot be told these steps, this sampler, this guidance or these amplitudes.
    """
    own = dataset_files(settings.data) if settings.data.name else settings.data.files()
    for files in (None if settings.training is None else unlabelled(settings.training), own):
        if files is not None:
            read_table(files)
    segmenter = None if settings.segmenter is None else load_segmenter(settings.segmenter)
    pipeline = MCDMPipeline.load(settings.generator).to(settings.where)
    pipeline.set_progress_bar_config(disable=True)
    steps = int(pipeline.config["steps"]) if settings.steps is None else settings.steps
    curve = settings.curve or []
    if min([steps, *curve]) < pipeline.least_steps:
        raise EchoAugmentError(
            f"steps={steps} curve={curve}: generator {settings.generator} takes {pipeline.least_steps} or more",
            "0 is for generators with a motion transport",
        )
    for scale in (1.0, *(settings.guidance or [])):
        check_sampler(pipeline, settings.sampler, scale)
    check_amplitude(pipeline, settings.amplitude or [])
    return Subject(
        pipeline=pipeline,
        sampling=Sampling(steps=steps, sampler=settings.sampler, seed=settings.seed),
        fps=float(pipeline.config["rate"]),
        image_size=int(pipeline.config["size"]),
        segmenter=segmenter,
        extractor=None if settings.extractor == "reader" else load_extractor(settings.extractor),
    )


def choose_reader(settings: FidelitySettings, subject: Subject, out: Path) -> EFReader:
    """Return an EF reader for clips such as the generator makes; it may have to be trained first."""
    wanted = ReaderTraining(
        clips=settings.reader.clips,
        steps=settings.reader.steps,
        num_frames=int(subject.pipeline.config["frames"]),
        fps=subject.fps,
        image_size=subject.image_size,
        seed=settings.seed,
    )
    folder = None if settings.reader.folder is None else Path(settings.reader.folder)
    return get_reader(folder, out / "reader", wanted)


def gather(settings: FidelitySettings, subject: Subject, reader: EFReader) -> Evidence:
    """Draw the pairs, generate their clips and read the EF of all rows."""
    pairs = draw_pairs(subject.pipeline, settings.pairs, settings.seed)
    made = generate(subject.pipeline, pairs.references, pairs.codes, subject.sampling)
    told = generate(subject.pipeline, pairs.references, pairs.told, subject.sampling)
    clips = {**pairs.clips, "told": told.clips, "generated": made.clips, "plain": made.plain}
    return Evidence(pairs=pairs, made=made, clips=clips, read={row: reader.read(clips[row]) for row in ROWS})


def measure(settings: FidelitySettings, subject: Subject, reader: EFReader, evidence: Evidence) -> FidelityReport:
    """Return all figures that are asked for."""
    pairs, made, clips, read = evidence.pairs, evidence.made, evidence.clips, evidence.read
    pipeline, sampling, fps = subject.pipeline, subject.sampling, subject.fps
    phase, root = {"phantoms": phase_errors(pairs.phase_errors)}, settings.data.files()
    if root is not None:
        size = subject.image_size
        phase["traced"] = traced_phase_errors(root, fps=fps, image_size=size, limit=settings.data.limit)
    extract = subject.extractor or reader_features(reader.net)
    masks = found_coverage = curve = strength = None
    if (segmenter := subject.segmenter) is not None:
        masks = {row: mask_overlap(clips[row], pairs.masks, segmenter) for row in (*DETAILED, "still")}
    if settings.training is not None:
        limit = settings.training_hearts
        found_coverage = coverage(pipeline, pairs, made.clips, settings.training, limit=limit, sampling=sampling)
    if settings.curve:
        curve = step_curve(pipeline, reader, pairs, settings.curve, sampling, {sampling.steps: made}, extract)
    if settings.amplitude or settings.guidance:
        factors = settings.amplitude or [], settings.guidance or []
        strength = strengths(pipeline, reader, pairs, *factors, sampling)
    seeds = settings.spread if settings.spread is not None else 4 if sampling.steps else 0
    spread = seed_spread(pipeline, reader, pairs, sampling, seeds, made.plain) if seeds else None
    distant = {row: clips[row] for row in DISTANT}
    source = BUNDLED if settings.generator == "bundled" else Path(settings.generator)
    return FidelityReport(
        reader=reader.quality,
        pairs=settings.pairs,
        rows=row_figures(clips, read, pairs),
        reid_nearest=recognised(pipeline, made.clips, pairs.references),
        travel=pairs.travel,
        seconds_per_clip=made.seconds,
        sampler=f"{sampling.sampler}-{sampling.steps}",
        label=label_figures(read, pairs),
        heart_rate=heart_rates(clips, pairs, fps),
        phase=phase,
        frechet=frechet_distances(distant, extract, settings.extractor),
        fingerprint=hash_weights(source) if source.is_dir() else settings.generator,
        seed=settings.seed,
        carried=carried(pipeline, pairs, settings.seed),
        masks=masks,
        coverage=found_coverage,
        curve=curve,
        strength=strength,
        spread=spread,
    )


def draw(out: Path, count: int, fps: float, report: FidelityReport, evidence: Evidence) -> None:
    """Write the plots, the contact sheet and the GIF of the first ``count`` pairs."""
    pairs, clips, read = evidence.pairs, evidence.clips, evidence.read
    shown = {name: clips[name] for name in SHOWN}
    write_picture(out / "contact_sheet.png", pair_sheet(shown, pairs.ef_motion, count))
    write_picture(out / "pairs.gif", pair_film(shown, count, fps))
    write_label_plot(out / "label.png", pairs.ef_motion, pairs.size_ratio, {row: read[row] for row in DETAILED})
    if report.curve is not None:
        write_curve_plot(out / "curve.png", report.curve)


register("fidelity", FidelitySettings)
