"""Measure ready-made clips, of a cache or a folder of videos, whose donors nobody knows, against real videos."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import EchoTable, read_table
from echo_augment.augmentor.mcdm.phase import make_heart, resample_indices
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.augmentor.sources.cached import CachedClips
from echo_augment.augmentor.sources.source import ClipSource
from echo_augment.augmentor.video_format import VideoFormat
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.progress import follow
from echo_augment.training_recipes.common.contact_sheet import Tile, draw_sheet, png, spread, strip
from echo_augment.training_recipes.common.dataset import ClipShape, held_out_videos
from echo_augment.training_recipes.ef.teacher import Teacher
from echo_augment.training_recipes.judging.frechet import Extractor, frechet, load_extractor, reader_features
from echo_augment.training_recipes.judging.reader import BUNDLED, NAME, EFReader, load_reader

from ..published.compare import compare, load_networks, real_clip
from ..published.ready_made import VideoClips, ready_made
from .beats import frame_errors, phase_errors
from .coverage import remembering
from .distances import FrechetDistances
from .peer_report import AgainstLabel, Memory, PeerFidelity
from .settings import FidelitySettings

Clips = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
LEAST = 4  # clips, and real videos: two a set for a Fréchet distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """What looks at the clips.

    Attributes:
        reader: the EF reader; gives the form in which clips are compared.
        teacher: reads EF in its place; None to read with it.
        features: for the Fréchet distance.
        shape: form in which clips are compared.
    """

    reader: EFReader
    teacher: Teacher | None
    features: Extractor
    shape: ClipShape

    @classmethod
    def of(cls, settings: FidelitySettings, table: EchoTable) -> "Judges":
        """Load them; none of the table's VAL and TEST videos may have trained the teacher.

        Raises:
            EchoAugmentError: a reader, teacher or extractor that cannot be used.
        """
        folder = BUNDLED if settings.reader.folder is None else Path(settings.reader.folder)
        reader = load_reader(folder / NAME)
        teacher = None
        if settings.reader.teacher is not None:
            teacher = Teacher.load(settings.reader.teacher, device=settings.where, held_out=held_out_videos(table))
        own = settings.extractor == "reader"
        training = reader.quality.training
        return cls(
            reader=reader,
            teacher=teacher,
            features=reader_features(reader.net) if own else load_extractor(settings.extractor),
            shape=ClipShape(training.num_frames, training.fps, training.image_size),
        )

    def read(self, clip: EchoClip, shaped: Clips) -> float:
        """Return the EF of a clip in percent; NaN if it is too short for the teacher."""
        if self.teacher is None:
            return float(self.reader.read(shaped[None])[0])
        return float(self.teacher([clip])[0]) if self.teacher.room(clip) >= 0 else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Some clips as they were judged.

    Attributes:
        frames: in the form in which they are compared, ``(N, T, H, W)``.
        read: EF read from each, in percent.
        label: EF that each is labelled with; NaN for none.
        phase: errors of the found ED and ES frames of those that state them.
        too_short: left out.
    """

    frames: Clips
    read: Values
    label: Values
    phase: list[tuple[float, float]]
    too_short: int


def measure_peers(settings: FidelitySettings) -> tuple[PeerFidelity, bytes]:
    """Measure ready-made clips; return the figures and a contact sheet as a PNG.

    Raises:
        EchoAugmentError: no clips, or real ones; a video that cannot be read; no data set; a judge that cannot be used;
            or fewer than four clips or real videos that are long enough.
    """
    root = str(settings.data.root)
    table = read_table(settings.data.files() or root)
    source = ready_made(str(settings.clips), table)
    table.split(settings.data.split)  # names the splits if it is none of them
    judges = Judges.of(settings, table)
    networks = load_networks(settings.metrics, settings.where)
    needed = settings.training is not None or networks is not None
    pipeline = MCDMPipeline.load(settings.generator).to("cpu") if needed else None
    clips = judged(spread_clips(source, settings.data.limit), judges, what=f"clips of {settings.clips}")
    real = judged(
        real_clips(table, settings.data.split, settings.data.limit),
        judges,
        what=f"{settings.data.split} videos of {root}",
    )
    order = np.random.default_rng(settings.seed).permutation(len(real.frames))
    n = min(len(order) // 2, len(clips.frames))
    chosen = np.random.default_rng([settings.seed, 1]).permutation(len(clips.frames))[:n]
    base = judges.features(real.frames[order[:n]])
    distances = {
        "real": frechet(judges.features(real.frames[order[n : 2 * n]]), base),
        "clips": frechet(judges.features(clips.frames[chosen]), base),
    }
    memory = None
    if pipeline is not None and settings.training is not None:
        found = remembering(
            pipeline, list(clips.frames), list(real.frames), settings.training, settings.training_hearts
        )
        memory = Memory(
            hearts=found.hearts,
            limit=found.limit,
            remembered=found.remembered,
            recall_clips=found.recall_generated,
            recall_real=found.recall_real,
        )
    published = None
    if pipeline is not None and networks is not None:
        codec, rows = pipeline.vae.to(settings.where), table.split(settings.data.split)
        published = compare(source, rows, codec, networks, settings.metrics, seed=settings.seed)
    training = judges.reader.quality.training
    report = PeerFidelity(
        origin=origin_of(source),
        clips=len(clips.frames),
        too_short=clips.too_short,
        real=len(real.frames),
        split=settings.data.split.upper(),
        reader=f"the teacher {settings.reader.teacher}"
        if judges.teacher is not None
        else f"a net that has seen nothing but {training.clips} phantoms: hold it against its own error on real videos",
        label=AgainstLabel.of(clips.read, clips.label),
        real_label=AgainstLabel.of(real.read, real.label),
        frechet=FrechetDistances(distances=distances, extractor=settings.extractor),
        frechet_n=n,
        phase=phase_errors(clips.phase) if clips.phase else None,
        memory=memory,
        published=published,
        forms=source.forms if isinstance(source, VideoClips) else None,
        fingerprint=source.fingerprint,
        seed=settings.seed,
    )
    return report, sheet(clips, real, settings.shown)


def spread_clips(source: ClipSource, limit: int) -> Iterator[EchoClip]:
    """Yield up to ``limit`` clips, spread evenly over the source."""
    for place in spread(len(source), limit):
        yield source[int(place)]


def real_clips(table: EchoTable, split: str, limit: int) -> Iterator[EchoClip]:
    """Yield up to ``limit`` videos of a split, spread evenly over the table, with EF; those that break are left out."""
    rows = table.split(split)
    for place in spread(len(rows), limit):
        clip = real_clip(rows[int(place)])
        if clip is not None:  # the report counts those that were used
            yield clip


def judged(clips: Iterator[EchoClip], judges: Judges, *, what: str) -> Sample:
    """Look at clips one by one; their middle is compared.

    Raises:
        EchoAugmentError: fewer than four are long enough.
    """
    shape = judges.shape
    form = VideoFormat(size=(shape.image_size, shape.image_size))
    frames, read, label, phase, short = list[Clips](), list[float](), list[float](), list[tuple[float, float]](), 0
    for clip in follow(clips, what, unit="clip"):
        taken = resample_indices(len(clip.frames), clip.fps, shape.fps)
        if len(taken) < shape.num_frames:
            short += 1
            continue
        start = (len(taken) - shape.num_frames) // 2
        shaped = form.resize(np.asarray(clip.frames)[taken[start : start + shape.num_frames]])
        frames.append(shaped)
        read.append(judges.read(clip, shaped))
        label.append(clip.ef)
        if clip.ed_frame >= 0 and clip.es_frame >= 0:
            heart = make_heart(clip.clip_id, np.asarray(clip.frames), clip.fps, rate=shape.fps, size=shape.image_size)
            phase.append(frame_errors(heart, shape.fps, clip.ed_frame / clip.fps, clip.es_frame / clip.fps))
    if len(frames) < LEAST:
        seconds = shape.num_frames / shape.fps
        text = f"{what}: {len(frames)} are long enough to be compared ({seconds:.2f} s), {short} are not"
        raise EchoAugmentError(text, f"Give {LEAST} or more")
    return Sample(frames=np.stack(frames), read=np.array(read), label=np.array(label), phase=phase, too_short=short)


def origin_of(source: CachedClips | VideoClips) -> str:
    """Return who made the clips, by the first one's provenance; a folder's path, of which nothing else is known."""
    if isinstance(source, VideoClips):
        return str(source.folder)
    source_of_first = source[0].provenance
    named = None if source_of_first is None else source_of_first.extra.get("origin") or source_of_first.preset
    return str(named or source.fingerprint)


def sheet(clips: Sample, real: Sample, count: int) -> bytes:
    """Return a PNG: clips beside real videos of the same rank of EF."""
    rows = []
    order = [np.argsort(one.label, kind="stable") for one in (clips, real)]
    places = [one[spread(len(one), count)] for one in order]
    for ours, theirs in zip(*places, strict=False):
        tiles = [(clips, int(ours), "clip"), (real, int(theirs), "real")]
        rows.append(
            [
                Tile(f"{name}: {label_of(one.label[at])}, read {one.read[at]:.0f} %", strip(one.frames[at]))
                for one, at, name in tiles
            ]
        )
    return png(draw_sheet(rows))


def label_of(ef: float) -> str:
    """Return the words for a clip's label.

    >>> label_of(55.2), label_of(float("nan"))
    ('label 55 %', 'no label')
    """
    return "no label" if np.isnan(ef) else f"label {ef:.0f} %"
