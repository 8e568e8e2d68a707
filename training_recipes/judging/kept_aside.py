"""The end of a generator's training: TRAIN videos kept aside are re-enacted, and the number of steps is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from echo_augment.augmentor.mcdm.phase import Heart
from echo_augment.augmentor.mcdm.pipeline import MCDMPipeline
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..common.contact_sheet import spread
from ..common.text import markdown_table
from .excerpts import Excerpt, take_excerpt
from .frechet import Extractor, load_extractor, reader_features
from .reader import BUNDLED, NAME, load_reader
from .reenactment import PER_VIDEO, reenact
from .steps import LEAST_VIDEOS, StepRule, choose_steps

TITLES = {
    "still": "still ED frame",
    "warp": "ED frame warped by dense flow",
    "codec": "codec round trip",
}
COLUMNS = ("explained", "PSNR", "SSIM", "cycle error", "sharpness", "double edges", "Fréchet distance", "s a clip")


@dataclass(kw_only=True)
class ReenactmentSettings:
    """How a trained generator is judged on TRAIN videos that were kept aside.

    Attributes:
        videos: of them at most; 0 to leave the judging out.
        curve: numbers of steps to compare, beside none where the generator can do without, and the preset's own; empty
            to keep the preset's.
        extractor: features of the Fréchet distance: ``reader`` or ``package.module:function``.
        rule: by which the default number of steps is chosen, from 8 videos on.
    """

    videos: int = 16
    curve: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    extractor: str = "reader"
    rule: StepRule = field(default_factory=StepRule)

    def __post_init__(self) -> None:
        check_whole("reenactment.videos", self.videos)
        for steps in self.curve:
            check_whole("reenactment.curve", steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAside:
    """What re-enactment of the videos kept aside says of a generator.

    Attributes:
        videos: how many.
        too_short: videos that are shorter than a clip.
        rows: means over the videos, by kind of clips.
        steps: default number of steps.
        chosen: whether the rule chose it; else it is the preset's.
        rule: the rule.
        extractor: features of the Fréchet distance.
    """

    videos: int
    too_short: int
    rows: Mapping[str, Mapping[str, float | None]]
    steps: int
    chosen: bool
    rule: StepRule
    extractor: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields for ``report.json``."""
        return {
            "videos": self.videos,
            "too_short": self.too_short,
            "rows": {name: dict(row) for name, row in self.rows.items()},
            "steps": self.steps,
            "chosen": self.chosen,
            "rule": asdict(self.rule),
            "extractor": self.extractor,
        }

    def text(self) -> str:
        """Return the figures as Markdown, with what they mean."""
        how = (
            f"chosen: the fewest steps whose Fréchet distance is at most {100 * self.rule.distance:g} % above the "
            f"best, among those that cost at most {self.rule.motion:g} of cycle error"
            if self.chosen
            else f"the preset's own; {LEAST_VIDEOS} videos or more are needed to choose"
        )
        return (
            f"{self.videos} TRAIN videos that trained nothing, their own motion on their own ED frame; explained: the "
            "share of the latent motion (0 as a still frame, 1 all).\n\n"
            f"{rows_table(self.rows)}\n\nDefault number of steps: **{self.steps}** ({how})."
        )


def rows_table(rows: Mapping[str, Mapping[str, float | None]]) -> str:
    """Return the figures of re-enactment by kind of clips as a Markdown table."""
    lines = []
    for name, row in rows.items():
        title = TITLES.get(name) or f"MCDM, steps={name.removeprefix('steps-')}"
        values = [row[key] for key in (*PER_VIDEO, "frechet", "seconds")]
        lines.append([title, *("" if value is None else f"{value:.2f}" for value in values)])
    return markdown_table(["clips", *COLUMNS], lines)


def feature_extractor(name: str) -> Extractor:
    """Return what gives the features of Fréchet distances: the bundled EF reader for ``reader``, or one's own."""
    return reader_features(load_reader(BUNDLED / NAME).net) if name == "reader" else load_extractor(name)


def steps_to_compare(pipeline: MCDMPipeline, curve: Sequence[int]) -> list[int]:
    """Return the numbers of steps of a curve that the pipeline takes, its own and the fewest among them, in order."""
    own, least = int(pipeline.config["steps"]), pipeline.least_steps
    return sorted({own, *((least, *curve) if curve else ())} - set(range(least)))


def judge_kept_aside(
    pipeline: MCDMPipeline, videos: Sequence[Heart], settings: ReenactmentSettings, *, seed: int
) -> KeptAside | None:
    """Re-enact videos that trained nothing, and choose the default number of steps.

    Args:
        pipeline: the generator.
        videos: those kept aside.
        settings: how many of them are judged, and how.
        seed: of the noise.

    Returns:
        None if no video is to be judged, or none is as long as a clip.
    """
    excerpts, short = list[Excerpt](), 0
    for place in spread(len(videos), settings.videos):
        try:
            excerpts.append(take_excerpt(pipeline, videos[int(place)]))
        except EchoAugmentError:
            short += 1
    if not excerpts:
        return None
    compared = steps_to_compare(pipeline, settings.curve)
    found = reenact(pipeline, excerpts, compared, feature_extractor(settings.extractor), seed=seed)
    chosen = bool(settings.curve) and len(excerpts) >= LEAST_VIDEOS
    return KeptAside(
        videos=len(excerpts),
        too_short=short,
        rows={name: row.means() for name, row in found.rows.items()},
        steps=choose_steps(found.by_steps, settings.rule) if chosen else int(pipeline.config["steps"]),
        chosen=chosen,
        rule=settings.rule,
        extractor=settings.extractor,
    )
