"""What re-enactment of a folder's videos finds: figures with intervals over videos, as JSON and as text."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data import Skipped
from echo_augment.cache.system.files import JsonValue
from echo_augment.evaluation.statistics.clinical import BIAS
from echo_augment.evaluation.statistics.intervals import MIN_VIDEOS, estimate_arm
from echo_augment.training_recipes.common.text import markdown_table
from echo_augment.training_recipes.judging.kept_aside import COLUMNS, TITLES
from echo_augment.training_recipes.judging.reenactment import PER_VIDEO, Row

if TYPE_CHECKING:
    from .donor_pairs import PairFigures

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A mean over videos.

    Attributes:
        mean: the mean.
        ci: its 95 % interval, by bootstrap over the videos; None for fewer than 8.
    """

    mean: float
    ci: tuple[float, float] | None = None

    @classmethod
    def of(cls, values: Values, seed: int) -> "Figure":
        """Return the mean of values ``(N,)``, one a video, and its interval."""
        found = estimate_arm(BIAS, np.zeros(len(values)), values[None], seed=seed)
        return cls(mean=found.value, ci=found.ci)

    def __str__(self) -> str:
        """Return the mean, its interval behind it."""
        return f"{self.mean:.2f}" if self.ci is None else f"{self.mean:.2f} ({self.ci[0]:.2f} to {self.ci[1]:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowEstimates:
    """Figures of a row of clips.

    Attributes:
        figures: of `PER_VIDEO`, by name.
        frechet: distance to the videos; None for fewer than two.
        steps: of the sampler; None for what no generator made.
        seconds: for a clip; None likewise.
    """

    figures: dict[str, Figure]
    frechet: float | None
    steps: int | None
    seconds: float | None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures under their names, flat."""
        figures = {name: asdict(figure) for name, figure in self.figures.items()}
        return {**figures, "frechet": self.frechet, "steps": self.steps, "seconds": self.seconds}


def estimates(row: Row, seed: int) -> RowEstimates:
    """Return the figures of a row, with intervals over the videos."""
    figures = {name: Figure.of(getattr(row, name), seed) for name in PER_VIDEO}
    return RowEstimates(figures=figures, frechet=row.frechet, steps=row.steps, seconds=row.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReenactedReport:
    """All figures of a folder.

    Attributes:
        videos: names of those that were judged.
        split: of the table.
        phantoms: whether they are phantoms.
        trained: videos left out because they trained the generator.
        recorded: whether the generator says what trained it.
        skipped: videos that are broken or too short.
        rows: by kind of clips.
        pairs: of two videos; None for a single one.
        masks: Dice of a segmenter's masks with those on the videos, by row; None without a segmenter.
        fewest_steps: by the rule of ``train-generator``; None where no steps were compared, or on too few videos.
        sampler: name and steps, of the pairs.
        extractor: features of the Fréchet distance.
        fingerprint: hash of the generator's weights, or its Hub id.
        seed: of noise, pairs and intervals.
    """

    videos: list[str]
    split: str
    phantoms: bool
    trained: int
    recorded: bool
    skipped: Sequence[Skipped]
    rows: Mapping[str, RowEstimates]
    pairs: "PairFigures | None"
    masks: Mapping[str, Figure] | None
    fewest_steps: int | None
    sampler: str
    extractor: str
    fingerprint: str
    seed: int

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as ``report.json`` has them."""
        return {
            "reenactment": {
                "videos": list(self.videos),
                "split": self.split,
                "trained": self.trained,
                "recorded": self.recorded,
                "rows": {name: row.to_json() for name, row in self.rows.items()},
                "pairs": None if self.pairs is None else asdict(self.pairs),
                "masks": None if self.masks is None else {row: asdict(one) for row, one in self.masks.items()},
                "fewest_steps": self.fewest_steps,
                "extractor": self.extractor,
            },
            "data": "phantoms" if self.phantoms else "videos",
            "sampler": self.sampler,
            "skipped": [one._asdict() for one in self.skipped],
            "fingerprint": self.fingerprint,
            "seeds": [self.seed],
        }

    def text(self) -> str:
        """Return all figures as Markdown."""
        what = "phantoms" if self.phantoms else "videos"
        left = f"; {self.trained} that trained the generator and {len(self.skipped)} that cannot be used are left out"
        few = f" Below {MIN_VIDEOS} videos there are no intervals." if len(self.videos) < MIN_VIDEOS else ""
        unknown = "" if self.recorded else " The generator does not say which videos trained it: look yourself."
        parts = [
            f"## Re-enactment: own motion on the own ED frame\n{len(self.videos)} {what} of split {self.split}{left}."
            f"{unknown} Means, with 95 % intervals over the {what}.{few}",
            self._rows_text(),
            "Explained: share of the latent motion, 0 as a still frame. Cycle error: of the motion code read back, 0 "
            "none, 1 as of a still frame. Sharpness: fine structure as a share of the video's. Double edges: 0 walls "
            f"stand once, 1 twice. Fréchet distance: on the features of {self.extractor}; not FVD.",
        ]
        if self.fewest_steps is not None:
            parts.append(f"Fewest steps by the rule of train-generator: **{self.fewest_steps}**.")
        if self.pairs is not None:
            parts.append(self._pairs_text(self.pairs))
        if self.masks is not None:
            cells = "; ".join(f"{TITLES.get(row, row)} {one}" for row, one in self.masks.items())
            parts.append(f"## LV masks, Dice with the segmenter's own on the {what}\n{cells}.")
        return "\n\n".join(parts)

    def _rows_text(self) -> str:
        lines = []
        for name, row in self.rows.items():
            title = TITLES.get(name) or f"MCDM, steps={row.steps}"
            rest = ["" if value is None else f"{value:.2f}" for value in (row.frechet, row.seconds)]
            lines.append([title, *(str(row.figures[key]) for key in PER_VIDEO), *rest])
        return markdown_table(["clips", *COLUMNS], lines)

    def _pairs_text(self, found: "PairFigures") -> str:
        rate = found.heart_rate
        lines = [
            f"## Pairs: motion of one x appearance of another ({len(self.videos)}, {self.sampler})",
            f"- motion code read back, cycle error: {found.cycle}",
            f"- heart rate against the motion donor's: MAE {rate.mae:.1f} a minute, bias {rate.bias:+.1f}, "
            f"{100 * rate.within_10:.0f} % within 10 %",
            f"- re-ID cosine with the appearance donor {found.reid_own}, with others {found.reid_others}; nearest to "
            f"the appearance donor: {100 * found.reid_nearest:.0f} %",
        ]
        if found.ef_gap is not None:
            lines.append(f"- teacher's EF of the clip against its EF of the motion donor: {found.ef_gap} points off")
        if found.ef_error is not None:
            lines.append(f"- against the motion donor's label: {found.ef_error} points off")
        return "\n".join(lines)
