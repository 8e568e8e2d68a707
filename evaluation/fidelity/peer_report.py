"""What ``echo-augment fidelity clips=FOLDER`` finds: figures of ready-made clips, and those that only donors allow."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import mean_absolute_error, r2_score

from echo_augment.cache.system.files import JsonValue
from echo_augment.training_recipes.common.text import markdown_table

from ..published.ready_made import Forms
from ..published.report import PublishedMetrics
from .adherence import Quarter, by_quarter
from .beats import PhaseErrors
from .distances import FrechetDistances

Values = npt.NDArray[np.float64]
LEFT_OUT = {
    "likeness": "PSNR and SSIM to the counterfactual: the clip that should have been made is not known",
    "swap": "weights of motion and appearance donor in the EF that is read: no donors",
    "transport": "the donor's EF against the counterfactual's: no donors",
    "by_size": "error by the ratio of both donors' LV sizes: no donors",
    "heart_rate": "error against the motion donor's: no donors",
    "reid_nearest": "is the appearance donor recognised: no donors",
    "reached": "clips painted with a TRAIN video's appearance, and too close to it: the generator cannot be asked",
    "masks": "Dice with the counterfactual's masks: it is not known",
    "steps": "fidelity and seconds by steps, weaker and stronger motion: the generator cannot be asked",
}
"""Figures of re-enactment, by name, and why ready-made clips cannot have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstLabel:
    """The EF that is read from clips against the one they are labelled with.

    Attributes:
        n: clips with a label that could be read.
        r2: coefficient of determination; NaN for fewer than two different labels.
        mae: mean absolute error in EF points.
        r: Pearson's correlation; 0 if all read the same.
        bias: mean of read minus label, in EF points.
        mean: of the labels, in percent.
        sd: of the labels.
        by_ef: the error by quarters of the label.
    """

    n: int
    r2: float
    mae: float
    r: float
    bias: float
    mean: float
    sd: float
    by_ef: list[Quarter]

    @classmethod
    def of(cls, read: Values, label: Values) -> "AgainstLabel | None":
        """Return the figures of clips, ``(N,)`` each; NaN where there is none. None if no clip has both."""
        both = np.isfinite(read) & np.isfinite(label)
        read, label = read[both], label[both]
        if not len(label):
            return None
        varies = label.std() > 1e-9
        return cls(
            n=len(label),
            r2=float(r2_score(label, read)) if varies else float("nan"),
            mae=float(mean_absolute_error(label, read)),
            r=float(np.corrcoef(label, read)[0, 1]) if varies and read.std() > 1e-9 else 0.0,
            bias=float((read - label).mean()),
            mean=float(label.mean()),
            sd=float(label.std()),
            by_ef=by_quarter(label, read, label),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Do clips repeat TRAIN videos, and how many of them do they reach? By a generator's re-ID model.

    Attributes:
        hearts: TRAIN videos that were used.
        limit: cosine over which two clips are more alike than 95 % of the halves of one video.
        remembered: share of TRAIN videos to which some clip is closer than that.
        recall_clips: share of TRAIN videos inside the manifold of the clips.
        recall_real: the same of as many real held-out videos.
    """

    hearts: int
    limit: float
    remembered: float
    recall_clips: float
    recall_real: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFidelity:
    """All figures of ready-made clips; what was not asked for or cannot be had is None.

    Attributes:
        origin: who made them.
        clips: that were looked at.
        too_short: left out, because they do not fill the form in which clips are compared.
        real: real videos that they were held against.
        split: of these.
        reader: what read the EF.
        label: EF read from clips against their labels.
        real_label: the same reader on the real videos: its own error.
        frechet: distances to one half of the real videos; ``real`` is the other half's, the floor.
        frechet_n: clips a set.
        phase: errors of ED and ES frames found without labels, where they are stated.
        memory: see `Memory`.
        published: FVD, FID, IS and LPIPS.
        forms: of a folder's videos, as they lie there.
        fingerprint: of the clips.
        seed: of the draw.
    """

    origin: str
    clips: int
    too_short: int
    real: int
    split: str
    reader: str
    label: AgainstLabel | None
    real_label: AgainstLabel | None
    frechet: FrechetDistances
    frechet_n: int
    phase: PhaseErrors | None
    memory: Memory | None
    published: PublishedMetrics | None
    forms: Forms | None
    fingerprint: str
    seed: int

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as ``report.json`` has them."""
        phase = None if self.phase is None else {**asdict(self.phase), "videos": None}
        return {
            "origin": self.origin,
            "clips": self.clips,
            "too_short": self.too_short,
            "real": {"n": self.real, "split": self.split},
            "reader": self.reader,
            "label": {
                name: None if found is None else asdict(found)
                for name, found in (("clips", self.label), ("real", self.real_label))
            },
            "frechet": {**self.frechet.distances, "extractor": self.frechet.extractor, "n": self.frechet_n},
            "phase": None if phase is None else {name: value for name, value in phase.items() if value is not None},
            "memory": None if self.memory is None else asdict(self.memory),
            **({} if self.forms is None else {"videos": self.forms.to_json()}),
            **({} if self.published is None else {"published": self.published.to_json()}),
            "left_out": {**LEFT_OUT},
            "fingerprint": self.fingerprint,
            "seeds": [self.seed],
        }

    def text(self) -> str:
        """Return the figures as Markdown that can be read in a terminal, too."""
        short = f", {self.too_short} more are too short to be compared" if self.too_short else ""
        form = "" if self.forms is None else f" ({self.forms})"
        parts = [
            f"{self.clips} clips of {self.origin}{form}{short}; {self.real} real {self.split} videos. "
            f"EF is read by {self.reader}.",
            self._label_text(),
            f"## Fréchet distance to real videos (features: {self.frechet.extractor}, {self.frechet_n} a set)\n"
            + ", ".join(f"{row} {value:.2f}" for row, value in self.frechet.distances.items())
            + ". The floor is real against real.",
        ]
        if self.phase is not None:
            cells = [
                f"{name} median {one.median:.1f}, 90 % {one.p90:.1f}"
                for name, one in (("ED", self.phase.ed), ("ES", self.phase.es))
            ]
            what = f"## Stated ED and ES frames against those found, in frames at 50 fps ({self.phase.n} clips)\n"
            parts.append(what + "; ".join(cells) + ".")
        if self.memory is not None:
            found = self.memory
            parts.append(
                f"## TRAIN videos ({found.hearts}), by re-ID\n"
                "- too close to some clip (more alike than 95 % of halves of one video): "
                f"{100 * found.remembered:.0f} %\n"
                f"- inside the manifold of the clips: {100 * found.recall_clips:.0f} %; of as many real ones: "
                f"{100 * found.recall_real:.0f} %"
            )
        if self.published is not None:
            parts.append(self.published.text())
        parts.append("## Left out\n" + "\n".join(f"- {name}: {why}" for name, why in LEFT_OUT.items()))
        return "\n\n".join(parts)

    def _label_text(self) -> str:
        rows = []
        for name, found in (("clips", self.label), (f"real {self.split}", self.real_label)):
            if found is None:
                rows.append([name, "0", *[""] * 5])
            else:
                numbers = (found.r2, found.mae, found.r, found.bias)
                rows.append(
                    [name, str(found.n), *(f"{one:.2f}" for one in numbers), f"{found.mean:.1f} ± {found.sd:.1f}"]
                )
        return "## EF read against the label\n" + markdown_table(["", "n", "R2", "MAE", "r", "bias", "labels"], rows)
