"""What the gallery says of a clip: a short card for filters, and everything that is known for whoever clicks on it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from echo_augment.cache import ClipStore, EchoClip, Plan
from echo_augment.cache.fill import PLAN
from echo_augment.cache.rejections import read_reasons

from ..filling.readings import Readings

LONGEST = 300  # letters of a value; the tables of packed real videos are longer
Fact = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What filters, order and the tile itself need of one clip.

    Attributes:
        clip_id: of the clip.
        ef: in percent; None where there is none.
        confidence: in the label, 0 to 1.
        motion_donor: empty where unknown.
        appearance_donor: empty where unknown.
        reason: why a gate rejected it, ``"kind: figures"``; empty for a stored clip.
        frames: of its strip.
        seconds: that the strip lasts.
        off: EF points between the label and what the label gate read; None where it read nothing.
    """

    clip_id: str
    ef: float | None
    confidence: float
    motion_donor: str
    appearance_donor: str
    reason: str = ""
    frames: int = 0
    seconds: float = 0.0
    off: float | None = None

    def to_json(self) -> list[Fact]:
        """Return the fields in the order that the page's script knows."""
        numbers = [None if value is None else round(value, 3) for value in (self.ef, self.confidence, self.off)]
        donors = [self.motion_donor, self.appearance_donor]
        place = [self.frames, round(self.seconds, 3)]
        return [self.clip_id, numbers[0], numbers[1], *donors, self.reason, *place, numbers[2]]


@dataclass(frozen=True, slots=True)
class Known:
    """What lies beside the shards of a cache.

    Attributes:
        readings: what gates measured, by its name, then by clip.
        reasons: why clips were rejected, by clip; clips that are stored are not among them.
        donors: motion and appearance donor by clip, of rejected clips that the plan still names.
    """

    readings: Mapping[str, Mapping[str, float]]
    reasons: Mapping[str, str]
    donors: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, store: ClipStore) -> "Known":
        """Read it.

        Raises:
            EchoAugmentError: a damaged plan.
        """
        folder = Path(store.folder)
        reasons = {name: reason for name, reason in read_reasons(folder).items() if name not in store.ids}
        donors: dict[str, tuple[str, str]] = {}
        if reasons and (folder / PLAN).exists():
            plan = Plan.load(folder / PLAN)
            lines = [line for line in plan.lines + plan.reserve if line.clip_id in reasons]
            donors = {line.clip_id: (line.motion_donor, line.appearance_donor) for line in lines}
        return cls(Readings(folder).columns(), reasons, donors)

    def off(self, clip_id: str) -> float | None:
        """Return the EF points between a clip's label and what the label gate read; None where it read nothing."""
        read, label = (self.readings.get(name, {}).get(clip_id) for name in ("read_ef", "label_ef"))
        return None if read is None or label is None else abs(read - label)

    def card(self, clip: EchoClip, frames: int, seconds: float) -> Card:
        """Return the card of a stored clip whose strip has so many frames and lasts so long."""
        source = clip.provenance
        return Card(
            clip_id=clip.clip_id,
            ef=None if math.isnan(clip.ef) else float(clip.ef),
            confidence=float(clip.confidence),
            motion_donor=source.motion_donor if source else "",
            appearance_donor=source.appearance_donor if source else "",
            frames=frames,
            seconds=seconds,
            off=self.off(clip.clip_id),
        )

    def rejected_cards(self) -> list[Card]:
        """Return the cards of the rejected clips, by their ids."""
        labels = self.readings.get("label_ef", {})
        cards = []
        for name, reason in sorted(self.reasons.items()):
            motion, appearance = self.donors.get(name, ("", ""))
            card = Card(
                clip_id=name,
                ef=labels.get(name),
                confidence=0.0,
                motion_donor=motion,
                appearance_donor=appearance,
                reason=reason,
                off=self.off(name),
            )
            cards.append(card)
        return cards

    def facts(self, store: ClipStore, index: int) -> dict[str, Fact]:
        """Return everything else that is known of a stored clip, by what it is called on the page."""
        clip = store.lazy(index)
        source = clip.provenance
        ends = [name for name, frame in (("ED", clip.ed_frame), ("ES", clip.es_frame)) if frame >= 0]
        frames = " and ".join(str(frame) for frame in (clip.ed_frame, clip.es_frame) if frame >= 0)
        height, width = store.size_of(index)
        found: dict[str, Fact] = {
            "Frames": f"{clip.n_frames} of {height} x {width} pixels at {clip.fps:g} per second",
            f"{' and '.join(ends)} frame": frames,
            "Shard": store.shard_of(index),
        }
        if source is not None:
            found |= {
                "Label policy": source.label_policy,
                "Seed": source.seed,
                "Sampler": source.sampler,
                "Preset": source.preset,
                "Fingerprint": source.fingerprint,
            }
            found |= {name: _short(value) for name, value in source.extra.items()}
        found |= {
            f"Gate: {name}": column[clip.clip_id] for name, column in self.readings.items() if clip.clip_id in column
        }
        return {name: value for name, value in found.items() if value is not None and value != ""}


def _short(value: object) -> Fact:
    if isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
