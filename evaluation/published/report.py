"""Published metrics as a report: rows of sets of videos, what they were computed with, and what they cannot tell."""

from dataclasses import asdict, dataclass

from echo_augment.cache.system.files import JsonValue
from echo_augment.training_recipes.common.text import markdown_table

from .measure import Row
from .scores import InceptionScore

PROTOCOL = 2048  # videos a set
ROWS = {
    "real": "other real videos (floor)",
    "codec": "their round trip through the codec",
    "clips": "clips",
}
WARNING = (
    "Published figures did not reproduce from the published weights (EchoNet-Synthetic's issue #5: FVD16 of 103.5 "
    "became 199 to 219, FID of 28.8 became 32 to 38), and all depend on the number of videos, their file format and "
    "the frame rate. Compare rows of one report, not reports."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedMetrics:
    """Published metrics of ready-made clips.

    Attributes:
        rows: by `ROWS`.
        real: videos of the set that all are held against.
        names: of the metrics.
        fps: frames per second of all.
        size: side of a frame.
        images: frames of a video for FID, IS and LPIPS, at most.
        files: names and hashes of the networks' files.
        lpips: LPIPS's network.
    """

    rows: dict[str, Row]
    real: int
    names: tuple[str, ...]
    fps: float
    size: int
    images: int
    files: dict[str, str]
    lpips: str

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as ``report.json`` has them, without those that could not be had."""
        rows: dict[str, JsonValue] = {
            name: {key: value for key, value in asdict(row).items() if value is not None}
            for name, row in self.rows.items()
        }
        return {
            "rows": rows,
            "real": self.real,
            "names": [*self.names],
            "form": {"fps": self.fps, "size": self.size, "images": self.images},
            "weights": {**self.files},
            "lpips": self.lpips,
            "warning": WARNING,
        }

    def text(self) -> str:
        """Return them as Markdown."""
        head = ["", "videos", "FVD16", "FVD128", "FID", "IS", f"LPIPS ({self.lpips})", "LPIPS between videos"]
        table = [
            [
                ROWS[name],
                str(row.videos),
                _number(row.fvd16, 1),
                _number(row.fvd128, 1),
                _number(row.fid, 1),
                _score(row.inception),
                _number(row.lpips, 4),
                _number(row.diversity, 3),
            ]
            for name, row in self.rows.items()
        ]
        few = ""
        if self.real < PROTOCOL:
            few = f" The protocol has {PROTOCOL:,} videos a set; with {self.real} the distances are larger."
        longest = max((row.long for row in self.rows.values()), default=0)
        none = " No video has 128 frames." if "fvd128" in self.names and not longest else ""
        files = ", ".join(f"{name} {value}" for name, value in self.files.items())
        return (
            f"## Published metrics, against {self.real} real videos ({self.fps:g} frames a second, {self.size} x "
            f"{self.size})\n{markdown_table(head, table)}\n\nFVD and FID as StyleGAN-V computes them; LPIPS of a frame "
            f"to its own before the round trip.{few}{none} {WARNING}\nNetworks by SHA-256: {files}."
        )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _score(value: InceptionScore | None) -> str:
    return "" if value is None else f"{value.mean:.2f} ± {value.sd:.2f}"
