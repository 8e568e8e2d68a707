"""Re-enactment of the videos of any folder: which are judged, and what their clips show; no labels are needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import Skipped, VideoInfo, read_table
from echo_augment.augmentor.mcdm.donors import hearts
from echo_augment.augmentor.mcdm.fingerprint import hash_weights
from echo_augment.augmentor.mcdm.pipeline import BUNDLED, MCDMPipeline
from echo_augment.augmentor.mcdm.training_videos import TRAINED_ON, TrainingVideos
from echo_augment.augmentor.predictors import Segmenter
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_sheet, png, spread, strip
from echo_augment.training_recipes.common.dataset import dataset_files, held_out_videos
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.judging.excerpts import Excerpt, take_excerpt
from echo_augment.training_recipes.judging.kept_aside import TITLES, feature_extractor, steps_to_compare
from echo_augment.training_recipes.judging.reenactment import Reenactment, reenact, row_name
from echo_augment.training_recipes.judging.sampling import Sampling, generate
from echo_augment.training_recipes.judging.steps import LEAST_VIDEOS, StepRule, choose_steps

from .donor_pairs import VideoPairs, mask_agreement, pair_figures
from .plots import pair_film
from .reenacted_report import ReenactedReport, estimates
from .settings import FidelitySettings

Clips = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reenacted:
    """Videos that were judged.

    Attributes:
        report: the figures.
        found: the clips, by row.
        pairs: motion of one x appearance of another; None for a single video.
        fps: frames per second.
        own: row of the generator at its own number of steps.
    """

    report: ReenactedReport
    found: Reenactment
    pairs: VideoPairs | None
    fps: float
    own: str

    def pictures(self, count: int) -> dict[str, bytes]:
        """Return a contact sheet of ``count`` videos, one of as many pairs, and a GIF of the videos, by file name."""
        rows = ["video", "still", "warp", "codec", self.own]
        clips = {row: self.found.clips[row] for row in rows}
        names = self.found.names
        pictures = {
            "contact_sheet.png": sheet({TITLES.get(row, row): stack for row, stack in clips.items()}, names, count),
            "videos.gif": pair_film(clips, count, self.fps),
        }
        if self.pairs is not None:
            kinds = {"appearance donor": self.pairs.appearance, "motion donor": self.pairs.motion}
            kinds["clip"] = self.pairs.clips
            pairs = [f"pair {place}" for place in range(len(names))]
            pictures["pairs.png"] = sheet(kinds, pairs, count)
        return pictures


def sheet(clips: Mapping[str, Clips], names: Sequence[str], count: int) -> bytes:
    """Return a PNG of the first ``count`` clips of each kind, two side by side under their name and kind."""
    shown = range(min(count, len(names)))
    rows = [
        [Tile(f"{names[place]}: {kind}", strip(stack[place])) for place in shown[first : first + 2]]
        for first in shown[::2]
        for kind, stack in clips.items()
    ]
    return png(draw_sheet(rows))


def judge_videos(
    settings: FidelitySettings, pipeline: MCDMPipeline, sampling: Sampling, segmenter: Segmenter | None
) -> Reenacted:
    """Re-enact the videos of a folder that did not train the generator, each alone and in pairs.

    Raises:
        EchoAugmentError: no video is left that did not train the generator and is as long as a clip; or a teacher or
            extractor that cannot be used.
    """
    table = read_table(dataset_files(settings.data))
    folder = BUNDLED if settings.generator == "bundled" else Path(settings.generator)
    rows, trained = unseen(table.split(settings.data.split), folder)
    if not rows:
        raise EchoAugmentError(
            f"{table.files.named}: all {trained} videos of split {settings.data.split} trained the generator "
            f"{settings.generator}",
            "Judge it on VAL (data.split=VAL), or on another folder",
        )
    device = "cpu" if settings.device == "auto" else settings.device
    teacher = None
    if settings.reader.teacher is not None:
        teacher = Teacher.load(settings.reader.teacher, device=device, held_out=held_out_videos(table))
    excerpts, used, skipped = take_excerpts(pipeline, [rows[i] for i in spread(len(rows), settings.data.limit)])
    if not excerpts:
        raise EchoAugmentError(
            f"{table.files.named}: none of {len(skipped)} videos can be judged; {skipped[0].name}: {skipped[0].reason}",
            "Run echo-augment doctor on the folder",
        )
    extract = feature_extractor(settings.extractor)
    steps = [sampling.steps, *steps_to_compare(pipeline, settings.curve or [])]
    found = reenact(pipeline, excerpts, steps, extract, sampler=sampling.sampler, seed=sampling.seed)
    own, fps = row_name(sampling.steps), float(pipeline.config["rate"])
    pairs, figures = None, None
    if len(excerpts) > 1:
        pairs = make_pairs(pipeline, excerpts, sampling)
        figures = pair_figures(pipeline, pairs, excerpts, used, teacher, sampling.seed)
    rule = StepRule()
    comparable = bool(settings.curve) and len(excerpts) >= LEAST_VIDEOS
    report = ReenactedReport(
        videos=found.names,
        split=settings.data.split,
        phantoms=settings.data.name == "phantom",
        trained=trained,
        recorded=(folder / TRAINED_ON).is_file(),
        skipped=skipped,
        rows={name: estimates(row, sampling.seed) for name, row in found.rows.items()},
        pairs=figures,
        masks=None if segmenter is None else mask_agreement(found.clips, segmenter, sampling.seed),
        fewest_steps=choose_steps(found.by_steps, rule) if comparable else None,
        sampler=f"{sampling.sampler}-{sampling.steps}",
        extractor=settings.extractor,
        fingerprint=hash_weights(folder) if folder.is_dir() else settings.generator,
        seed=settings.seed,
    )
    return Reenacted(report=report, found=found, pairs=pairs, fps=fps, own=own)


def unseen(rows: Sequence[VideoInfo], folder: Path) -> tuple[list[VideoInfo], int]:
    """Return the videos that did not train the generator of a folder, told by content, and how many did.

    A generator that does not say what trained it has been trained on none of them, as far as can be known.
    """
    path = folder / TRAINED_ON
    if not path.is_file():
        return list(rows), 0
    known = TrainingVideos.read(path)
    kept = []
    for row in rows:
        try:
            if known.find([row]) is None:
                kept.append(row)
        except EchoAugmentError:
            kept.append(row)  # what does not open is counted where it is read
    return kept, len(rows) - len(kept)


def take_excerpts(
    pipeline: MCDMPipeline, rows: Sequence[VideoInfo]
) -> tuple[list[Excerpt], list[VideoInfo], list[Skipped]]:
    """Return what is re-enacted of each video, the videos, and those that are broken or shorter than a clip."""
    fps, size = float(pipeline.config["rate"]), int(pipeline.config["size"])
    excerpts, used, skipped = list[Excerpt](), list[VideoInfo](), list[Skipped]()
    read = hearts(rows, rate=fps, size=size)
    for row, found in follow(read, "videos", unit="video", total=len(rows)):
        try:
            if isinstance(found, EchoAugmentError):
                raise found
            excerpts.append(take_excerpt(pipeline, found[0]))
            used.append(row)
        except EchoAugmentError as error:
            skipped.append(Skipped(row.name, str(error)))
    return excerpts, used, skipped


def make_pairs(pipeline: MCDMPipeline, excerpts: Sequence[Excerpt], sampling: Sampling) -> VideoPairs:
    """Return as many pairs as videos, each of which gives its motion once and its appearance once, never to itself."""
    order = np.random.default_rng([sampling.seed, 7]).permutation(len(excerpts))
    donor = np.empty_like(order)
    donor[order] = np.roll(order, 1)
    references = np.stack([one.reference for one in excerpts])
    made = generate(pipeline, references, [excerpts[i].codes for i in donor], sampling)
    own = np.stack([one.clip for one in excerpts])
    return VideoPairs(donor=donor, motion=own[donor], appearance=own, clips=made.clips)
