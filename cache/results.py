"""What the jobs on a cache found: the summary of a fill, the figures of a cache, damage, a repair."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .system.files import JsonValue


@dataclass(frozen=True, slots=True)
class FillSummary:
    """What a fill did.

    Attributes:
        folder: folder of the cache.
        wanted: clips in the plan, or in this process's share of it.
        sealed: how many of them are in the cache now.
        made: clips that this run made.
        rejected: number of clips rejected so far, by kind of reason.
        seconds: duration of this run.
        size: bytes of the whole cache.
        fingerprint: fingerprint of the generator.
    """

    folder: Path
    wanted: int
    sealed: int
    made: int
    rejected: dict[str, int]
    seconds: float
    size: int
    fingerprint: str

    @property
    def complete(self) -> bool:
        """Whether the cache holds every wanted clip."""
        return self.sealed >= self.wanted

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON, for a report."""
        return {**asdict(self), "folder": str(self.folder), "complete": self.complete}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FillSummary":
        """Return the summary that :meth:`to_json` wrote."""
        fields = {name: value[name] for name in cls.__slots__}
        return replace(cls(**fields), folder=Path(value["folder"]))

    def __str__(self) -> str:
        refused = ", ".join(f"{count} {kind}" for kind, count in self.rejected.items())
        text = (
            f"{self.sealed} of {self.wanted} clips in {self.folder} ({self.size / 1e6:.1f} MB), {self.made} of them new"
        )
        text += f" in {self.seconds:.0f} s" + (f"; refused: {refused}" if refused else "")
        return text if self.complete else text + "; the reserve is used up"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFigures:
    """EF of the clips of a cache, in percent.

    Attributes:
        labelled: clips with an EF.
        mean: mean EF; None if no clip has one, as are ``min`` and ``max``.
        min: lowest EF.
        max: highest EF.
    """

    labelled: int
    mean: float | None = None
    min: float | None = None
    max: float | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields as plain JSON, without those that are None."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProgress:
    """How far the plan of a cache is.

    Attributes:
        wanted: clips that the plan wants.
        sealed: clips of the plan that are in the cache.
        settings: what the plan was made from, by name.
    """

    wanted: int
    sealed: int
    settings: dict[str, int | float | str]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures and the settings as one JSON object."""
        return {"wanted": self.wanted, "sealed": self.sealed, **self.settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """Figures of a cache.

    Attributes:
        clips: number of sealed clips.
        shards: number of shards.
        bytes: size of all shards.
        shapes: ``(T, H, W)`` of the shards' chunks, each once, sorted.
        kind: ``"real"`` for a packed dataset, else ``"synthetic"``.
        fingerprint: fingerprint of the generator, or of the packed dataset.
        ef: EF of the clips.
        plan: how far the plan is; None for a cache without one, such as a merged cache.
    """

    clips: int
    shards: int
    bytes: int
    shapes: tuple[tuple[int, int, int], ...]
    kind: str
    fingerprint: str
    ef: LabelFigures
    plan: PlanProgress | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as plain JSON, for a report; ``plan`` is left out if it is None."""
        fields = {name: getattr(self, name) for name in ("clips", "shards", "bytes", "kind", "fingerprint")}
        fields |= {"shapes": [list(shape) for shape in self.shapes], "ef": self.ef.to_json()}
        return fields if self.plan is None else {**fields, "plan": self.plan.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "CacheInfo":
        """Return the figures that :meth:`to_json` wrote."""
        fields = {name: value[name] for name in ("clips", "shards", "bytes", "kind", "fingerprint")}
        plan = None
        if "plan" in value:
            settings = dict(value["plan"])
            plan = PlanProgress(wanted=settings.pop("wanted"), sealed=settings.pop("sealed"), settings=settings)
        return cls(
            **fields,
            shapes=tuple((t, h, w) for t, h, w in value["shapes"]),
            ef=LabelFigures(**value["ef"]),
            plan=plan,
        )


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong with a cache.

    Attributes:
        file: name of the shard, or ``manifest.bin`` or ``plan.jsonl``.
        clip_id: id of the damaged clip; ``""`` if the damage is outside the clips.
        what: what is wrong, in words.
    """

    file: str
    clip_id: str
    what: str

    def to_json(self) -> dict[str, str]:
        """Return the fields as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> "Damage":
        """Return the damage that :meth:`to_json` wrote."""
        return cls(**value)

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair did.

    Attributes:
        shards: names of the damaged shards, which are in quarantine now.
        kept: clips kept from them.
        lost: what was damaged, clips that are lost among it.
    """

    shards: tuple[str, ...]
    kept: int
    lost: tuple[Damage, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the figures as plain JSON: ``damage`` in words, ``lost`` the ids of the lost clips."""
        lost = [one.clip_id for one in self.lost if one.clip_id]
        return {"shards": self.shards, "kept": self.kept, "damage": [one.what for one in self.lost], "lost": lost}
