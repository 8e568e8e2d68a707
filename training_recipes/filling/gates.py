"""The gates of one fill, made from the configuration: limits set on VAL, readings kept, figures for the report."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import EchoTable, read_table
from echo_augment.augmentor.predictors import EFPredictor
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.cache.rejections import read_reasons

from ..common.dataset import held_out_videos
from ..ef.teacher import Teacher
from .label_gate import LabelGate, read_masks, set_tolerance
from .privacy_gate import Looks, PrivacyGate, look_by, set_threshold
from .readings import Readings, label_figures, privacy_figures
from .settings import GateSettings, agree, read_settings

SAID = {"label": ("label within {:.1f} EF points", "tolerance"), "privacy": ("similarity to {:.3f}", "threshold")}


@dataclass
class FillGates:
    """The gates of a fill.

    Attributes:
        gates: in the order in which they are asked, the cheapest first.
        settings: as plain JSON, with fingerprints.
        limits: tolerance and thresholds, and what they were set on.
        readings: what was measured.
        not_compared: TRAIN videos that could not be read, so that no clip was held against them.
    """

    gates: list[Gate]
    settings: dict[str, Any]
    limits: dict[str, Any]
    readings: Readings
    not_compared: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """``gates`` of the report: of all clips that the fills of this cache have judged so far."""
        found: dict[str, Any] = {"settings": self.settings, "limits": self.limits}
        columns = self.readings.columns()
        if self.settings["label"]:
            found["label"] = label_figures(columns, read_reasons(self.readings.folder))
        if self.settings["privacy"]:
            found["privacy"] = privacy_figures(columns) | {"not_compared": self.not_compared}
        return {"gates": found}

    def __str__(self) -> str:
        parts = []
        for name, limit in self.limits.items():
            text, key = SAID[name]
            hearts = f"the {self.settings[name]['quantile']:g} quantile of {limit.get('val_hearts')} VAL hearts"
            parts.append(text.format(limit[key]) + (f" ({hearts})" if "val_hearts" in limit else " (given)"))
        return f"gates: {', '.join(parts)}"


def make_gates(
    gates: Mapping[str, Any],
    generator: Any,
    root: Path,
    out: Path,
    *,
    device: str,
    rank: int = 0,
    world: int = 1,
    others: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
) -> FillGates:
    """The gates that the configuration group ``gates`` asks for.

    Args:
        gates: ``image``, ``label`` and ``privacy``.
        generator: of the clips: with ``frames``, ``fps`` and ``height``, and for privacy with ``pipeline.reid``.
        root: the data set's folder. TRAIN is what privacy is about, VAL sets limits, TEST is never read for them.
        out: folder of the cache.
        device: for teacher and re-ID.
        rank: of this process.
        world: processes that fill the cache together.
        others: what else rejects clips in this fill, by name, as plain JSON: the cache keeps to that, too.
        say: gets the limits.

    Raises:
        EchoAugmentError: a bad setting, teacher or data set, or other gates than the cache was begun with.
    """
    settings, readings = read_settings(gates), Readings(out, rank=rank, world=world)
    named: dict[str, Any] = {"image": settings.image, "label": None, "privacy": None, **(others or {})}
    if settings.label is None and settings.privacy is None:
        limits = agree(out, named, dict)
        return FillGates([PerClip(image_gate)] if settings.image else [], named, limits, readings)
    table = read_table(root)
    work = _Maker(settings, generator, table, readings, device)
    named |= work.names()
    limits = agree(out, named, work.limits)
    found: list[Gate] = [PerClip(image_gate)] if settings.image else []
    made = FillGates(found + work.make(limits), named, limits, readings, work.not_compared)
    say(str(made))
    return made


class _Maker:
    """Loads what the gates need, once."""

    def __init__(
        self, settings: GateSettings, generator: Any, table: EchoTable, readings: Readings, device: str
    ) -> None:
        self.settings, self.table, self.readings = settings, table, readings
        self.not_compared: list[str] = []
        self.form: dict[str, Any] = {
            "frames": int(generator.frames),
            "rate": float(generator.fps),
            "size": int(generator.height),
        }
        self.teacher: Teacher | None = None
        if settings.label and settings.label.teacher is not None:
            self.teacher = Teacher.load(settings.label.teacher, device=device, held_out=held_out_videos(table))
        self.train: Looks | None = None
        if settings.privacy:
            reid = getattr(getattr(generator, "pipeline", None), "reid", None)
            if reid is None:
                raise EchoAugmentError(
                    f"gates.privacy.against={settings.privacy.against}: this generator has no re-ID model",
                    "Use a generator of train-generator",
                )
            self.look = look_by(reid, device)
            rows = table.split("TRAIN")
            self.train = Looks.of(rows, self.look, **self.form, what="TRAIN for the privacy gate")
            self.not_compared = sorted({row.name for row in rows} - set(self.train.names))

    @property
    def read(self) -> EFPredictor:
        return self.teacher if self.teacher is not None else read_masks

    def names(self) -> dict[str, Any]:
        """What the gates are, without the numbers that follow from it."""
        label = asdict(self.settings.label) if self.settings.label else None
        if label and self.teacher is not None:
            label["teacher"] = self.teacher.fingerprint
        return {"label": label, "privacy": asdict(self.settings.privacy) if self.settings.privacy else None}

    def limits(self) -> dict[str, Any]:
        """The limits as given, or set on VAL."""
        found: dict[str, Any] = {}
        val = self.table.split("VAL")
        label, privacy = self.settings.label, self.settings.privacy
        if label:
            given = label.tolerance is not None
            found["label"] = (
                {"tolerance": label.tolerance}
                if given
                else set_tolerance(self.read, val, **self.form, quantile=label.quantile)
            )
        if privacy and self.train is not None:
            if privacy.threshold is not None:
                found["privacy"] = {"threshold": privacy.threshold, "pair_threshold": privacy.threshold}
            else:
                looks = Looks.of(val, self.look, **self.form, what="VAL for the privacy gate")
                found["privacy"] = set_threshold(self.train, looks, privacy.quantile)
        return found

    def make(self, limits: Mapping[str, Any]) -> list[Gate]:
        """The gates with their limits."""
        found: list[Gate] = []
        if self.settings.label:
            reader, tolerance = self.settings.label.by, limits["label"]["tolerance"]
            found.append(LabelGate(self.read, reader=reader, tolerance=tolerance, readings=self.readings))
        if self.settings.privacy and self.train is not None:
            found.append(
                PrivacyGate(
                    self.look,
                    self.train,
                    against=self.settings.privacy.against,
                    threshold=limits["privacy"]["threshold"],
                    pair_threshold=limits["privacy"]["pair_threshold"],
                    readings=self.readings,
                )
            )
        return found
