"""The gates of one fill, made from its settings: limits set on VAL, readings kept, figures for the report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from echo_augment.augmentor.data import EchoTable, read_table
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.augmentor.predictors import EFPredictor
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import Gate, PerClip, image_gate
from echo_augment.cache.generator import Generator
from echo_augment.cache.rejections import read_reasons
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import ClipShape, held_out_videos
from ..common.ranks import Ranks
from ..ef.teacher import Teacher
from .agreement import LabelLimit, Limits, PrivacyLimit, agree
from .label_gate import LabelGate, read_masks, set_tolerance
from .privacy_gate import Appearances, Embed, PrivacyGate, embedder, set_threshold
from .readings import Readings, label_gate_figures, privacy_figures
from .settings import GateSettings, LabelGateSettings, PrivacyGateSettings


@dataclass
class FillGates:
    """The gates of a fill.

    Attributes:
        gates: in the order in which they are asked, the cheapest first.
        settings: what the gates are, as ``gates.json`` has it.
        limits: tolerance and thresholds, and what they were set by.
        readings: what was measured.
        not_compared: TRAIN videos that could not be read, so that no clip was held against them.
    """

    gates: list[Gate]
    settings: Mapping[str, JsonValue]
    limits: Limits
    readings: Readings
    not_compared: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, JsonValue]:
        """Return what the report says of all clips that the fills of this cache have judged so far."""
        limits: dict[str, JsonValue] = {**self.limits}  # type: ignore[dict-item]
        found: dict[str, JsonValue] = {"settings": self.settings, "limits": limits}
        columns = self.readings.columns()
        if self.settings["label"]:
            found["label"] = label_gate_figures(columns, read_reasons(self.readings.folder))
        if self.settings["privacy"]:
            found["privacy"] = privacy_figures(columns) | {"not_compared": self.not_compared}
        return found


def make_gates(
    settings: GateSettings,
    generator: Generator,
    root: DataFolder,
    out: Path,
    *,
    device: str,
    ranks: Ranks | None = None,
    others: Mapping[str, JsonValue] | None = None,
    say: Callable[[str], None] = print,
) -> FillGates:
    """Return the gates that the settings ask for.

    Args:
        settings: which gates, and how strict.
        generator: makes the clips; has ``frames``, ``fps`` and ``height``, and for privacy ``pipeline.reid``.
        root: folder of the data set. TRAIN is what privacy is about, VAL sets limits, TEST is never read for them.
        out: folder of the cache.
        device: for teacher and re-ID.
        ranks: which process this is.
        others: what else rejects clips in this fill, by name, as plain JSON: the cache keeps to that, too.
        say: gets the limits.

    Raises:
        EchoAugmentError: a bad teacher or data set, or other gates than the cache was begun with.
    """
    ranks = ranks or Ranks()
    readings = Readings(out, rank=ranks.rank, world=ranks.world)
    found: list[Gate] = [PerClip(image_gate)] if settings.image else []
    named: dict[str, JsonValue] = {"image": settings.image, "label": None, "privacy": None, **(others or {})}
    if not settings.label.on and not settings.privacy.on:
        return FillGates(found, named, agree(out, named), readings)
    table, shape = read_table(root), shape_of(generator)
    label = LabelJudge.of(settings.label, table, device) if settings.label.on else None
    privacy = PrivacyJudge.of(settings.privacy, generator, table, shape, device) if settings.privacy.on else None
    named["label"] = None if label is None else label.to_json()
    named["privacy"] = None if privacy is None else privacy.settings.to_json()
    limits = agree(out, named, partial(set_limits, label, privacy, table, shape))
    if label:
        found.append(label.gate(limits["label"], readings))
    if privacy:
        found.append(privacy.gate(limits["privacy"], readings))
    say(f"gates: {', '.join(limit_words(settings, limits))}")
    return FillGates(found, named, limits, readings, privacy.not_compared if privacy else [])


def shape_of(generator: Generator) -> ClipShape:
    """Return the shape of a generator's clips, which must be square."""
    num_frames, fps, height = (getattr(generator, name) for name in ("frames", "fps", "height"))
    return ClipShape(int(num_frames), float(fps), int(height))


@dataclass(frozen=True, slots=True)
class LabelJudge:
    """What reads the EF that clips show.

    Attributes:
        settings: of the label gate.
        teacher: reads clips; None if their masks are read.
    """

    settings: LabelGateSettings
    teacher: Teacher | None

    @classmethod
    def of(cls, settings: LabelGateSettings, table: EchoTable, device: str) -> "LabelJudge":
        """Load the teacher, if the settings name one; none of the table's VAL and TEST videos may have trained it."""
        if settings.teacher is None:
            return cls(settings, None)
        return cls(settings, Teacher.load(settings.teacher, device=device, held_out=held_out_videos(table)))

    @property
    def read(self) -> EFPredictor:
        """Clips to the EF that they show, in percent."""
        return read_masks if self.teacher is None else self.teacher

    def to_json(self) -> dict[str, JsonValue]:
        """Return the gate as ``gates.json`` names it."""
        return self.settings.to_json(None if self.teacher is None else self.teacher.fingerprint)

    def limit(self, table: EchoTable, shape: ClipShape) -> LabelLimit:
        """Return the tolerance as given, or set on VAL."""
        if self.settings.tolerance is not None:
            return LabelLimit(tolerance=float(self.settings.tolerance))
        return set_tolerance(self.read, table.split("VAL"), shape, quantile=self.settings.quantile)

    def gate(self, limit: LabelLimit, readings: Readings) -> LabelGate:
        """Return the gate with its limit."""
        return LabelGate(self.read, reader=self.settings.by, tolerance=limit["tolerance"], readings=readings)


@dataclass(frozen=True, slots=True)
class PrivacyJudge:
    """What sees which patient a clip shows.

    Attributes:
        settings: of the privacy gate.
        embed: the generator's re-ID model.
        train: every TRAIN video that can be read.
        not_compared: names of the others.
    """

    settings: PrivacyGateSettings
    embed: Embed
    train: Appearances
    not_compared: list[str]

    @classmethod
    def of(
        cls, settings: PrivacyGateSettings, generator: Generator, table: EchoTable, shape: ClipShape, device: str
    ) -> "PrivacyJudge":
        """Embed the TRAIN videos by the generator's re-ID model.

        Raises:
            EchoAugmentError: the generator has none.
        """
        reid = getattr(getattr(generator, "pipeline", None), "reid", None)
        if reid is None:
            raise EchoAugmentError(
                f"gates.privacy.against={settings.against}: this generator has no re-ID model",
                "Use a generator of train-generator",
            )
        embed, rows = embedder(reid, device), table.split("TRAIN")
        train = Appearances.of(rows, embed, shape, what="TRAIN for the privacy gate")
        return cls(settings, embed, train, sorted({row.name for row in rows} - set(train.names)))

    def limit(self, table: EchoTable, shape: ClipShape) -> PrivacyLimit:
        """Return the thresholds as given, or set on VAL."""
        if self.settings.threshold is not None:
            threshold = float(self.settings.threshold)
            return PrivacyLimit(threshold=threshold, pair_threshold=threshold)
        val = Appearances.of(table.split("VAL"), self.embed, shape, what="VAL for the privacy gate")
        return set_threshold(self.train, val, self.settings.quantile)

    def gate(self, limit: PrivacyLimit, readings: Readings) -> PrivacyGate:
        """Return the gate with its limits."""
        return PrivacyGate(
            self.embed,
            self.train,
            against=str(self.settings.against),
            threshold=limit["threshold"],
            pair_threshold=limit["pair_threshold"],
            readings=readings,
        )


def set_limits(label: LabelJudge | None, privacy: PrivacyJudge | None, table: EchoTable, shape: ClipShape) -> Limits:
    """Return the limits of the gates that are on."""
    found = Limits()
    if label:
        found["label"] = label.limit(table, shape)
    if privacy:
        found["privacy"] = privacy.limit(table, shape)
    return found


def limit_words(settings: GateSettings, limits: Limits) -> Sequence[str]:
    """Return each limit in words, and where it comes from."""
    found = []
    if (label := limits.get("label")) is not None:
        found.append(f"label within {label['tolerance']:.1f} EF points ({_origin(label, settings.label.quantile)})")
    if (privacy := limits.get("privacy")) is not None:
        origin = _origin(privacy, settings.privacy.quantile)
        found.append(f"similarity to {privacy['threshold']:.3f} ({origin})")
    return found


def _origin(limit: LabelLimit | PrivacyLimit, quantile: float) -> str:
    count = limit.get("val_hearts")
    return "given" if count is None else f"the {quantile:g} quantile of {count} VAL videos"
