"""What ``fill-cache`` is told: clips, labels, masks and gates."""

from dataclasses import dataclass, field
from pathlib import Path

from echo_augment.augmentor.mcdm.labels import POLICIES
from echo_augment.augmentor.mcdm.published.ef_token import EFToken
from echo_augment.cache.arguments import check_choice, check_number, check_share, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.plan import BALANCES, PAIRS
from echo_augment.cache.shard.writer import COMPRESSIONS
from echo_augment.cache.system.files import JsonValue

from ..common.dataset import DataSettings
from ..common.inputs import check_generator, check_trainings
from ..common.ranks import AUTO
from ..common.settings import JobSettings, group

READERS, AGAINST = ("teacher", "masks"), ("others", "all")


@dataclass(kw_only=True)
class LabelSettings:
    """The EF that a clip is stored with.

    Attributes:
        policy: ``donor``, ``teacher`` or ``consensus``; see `echo_augment.augmentor.mcdm.labels`.
        teacher: folder that ``train-ef`` wrote; None with ``donor``.
        tolerance: in (0, 100] EF points; not used by ``donor``.
    """

    policy: str = "donor"
    teacher: str | None = None
    tolerance: int | float = 10

    def __post_init__(self) -> None:
        check_choice("label.policy", self.policy, POLICIES)
        check_number("label.tolerance", self.tolerance, 0, 100, above_low=True, unit="EF points")
        if self.policy == "donor" and self.teacher is not None:
            raise EchoAugmentError(
                f"label.policy=donor uses no teacher, got label.teacher={self.teacher}",
                "Leave it out, or give label.policy=teacher or consensus",
            )
        if self.policy != "donor" and self.teacher is None:
            raise EchoAugmentError(
                f"label.policy={self.policy} has no teacher to read EF",
                "Give label.teacher=FOLDER, as train-ef writes it, or label.policy=donor",
            )


@dataclass(kw_only=True)
class LabelGateSettings:
    """The label gate, which is off without a teacher or ``by=masks``.

    Attributes:
        teacher: folder that ``train-ef`` wrote; None with ``masks``.
        by: ``teacher`` or ``masks``: what reads the EF that a clip shows.
        tolerance: EF points between reading and label that pass, in (0, 100]; None to set it on VAL.
        quantile: of the teacher's absolute errors on VAL that becomes the tolerance, in (0, 1].
    """

    teacher: str | None = None
    by: str = "teacher"
    tolerance: int | float | None = None
    quantile: int | float = 0.9

    def __post_init__(self) -> None:
        check_choice("gates.label.by", self.by, READERS)
        check_number("gates.label.quantile", self.quantile, 0, 1, above_low=True)
        if self.tolerance is not None:
            check_number("gates.label.tolerance", self.tolerance, 0, 100, above_low=True, unit="EF points")
        if self.by == "masks" and self.teacher is not None:
            raise EchoAugmentError(
                f"gates.label.by=masks uses no teacher, got gates.label.teacher={self.teacher}", "Leave one of them out"
            )
        if self.by == "masks" and self.tolerance is None:
            raise EchoAugmentError(
                "gates.label.by=masks has no tolerance: VAL videos have no masks to set it on",
                "Give gates.label.tolerance=NUMBER, in EF points",
            )
        if self.tolerance is not None and not self.on:
            raise EchoAugmentError(
                f"gates.label.tolerance is {self.tolerance:g}, but there is no teacher to read EF",
                "Give gates.label.teacher=FOLDER, as train-ef writes it, or gates.label.by=masks",
            )

    @property
    def on(self) -> bool:
        """Whether clips are judged by their label."""
        return self.by == "masks" or self.teacher is not None

    def to_json(self, fingerprint: str | None) -> dict[str, JsonValue]:
        """Return the gate as ``gates.json`` names it, the teacher by its fingerprint."""
        tolerance = None if self.tolerance is None else float(self.tolerance)
        return {"by": self.by, "teacher": fingerprint, "tolerance": tolerance, "quantile": float(self.quantile)}


@dataclass(kw_only=True)
class PrivacyGateSettings:
    """The privacy gate, which is off if ``against`` is None.

    Attributes:
        against: ``others`` (every TRAIN video but the clip's appearance donor) or ``all``.
        threshold: similarity in [-1, 1] over which a clip is rejected; None to set it on VAL.
        quantile: of the similarities between VAL and TRAIN that becomes the threshold, in (0, 1].
    """

    against: str | None = None
    threshold: int | float | None = None
    quantile: int | float = 0.99

    def __post_init__(self) -> None:
        if self.against is not None:
            check_choice("gates.privacy.against", self.against, AGAINST)
        check_number("gates.privacy.quantile", self.quantile, 0, 1, above_low=True)
        if self.threshold is not None:
            check_number("gates.privacy.threshold", self.threshold, -1, 1)
            if not self.on:
                raise EchoAugmentError(
                    f"gates.privacy.threshold is {self.threshold:g}, but the gate is off",
                    "Give gates.privacy.against=others",
                )

    @property
    def on(self) -> bool:
        """Whether clips are held against TRAIN."""
        return self.against is not None

    def to_json(self) -> dict[str, JsonValue]:
        """Return the gate as ``gates.json`` names it."""
        threshold = None if self.threshold is None else float(self.threshold)
        return {"against": self.against, "threshold": threshold, "quantile": float(self.quantile)}


@dataclass(kw_only=True)
class GateSettings:
    """The gates of a fill.

    Attributes:
        image: reject black, white, flat and still clips.
        label: see `LabelGateSettings`.
        privacy: see `PrivacyGateSettings`.
    """

    image: bool = True
    label: LabelGateSettings = field(default_factory=LabelGateSettings)
    privacy: PrivacyGateSettings = field(default_factory=PrivacyGateSettings)


@dataclass(kw_only=True)
class MaskSettings:
    """LV masks that travel with the clips.

    Attributes:
        segmenter: folder that ``train-segmentation`` wrote; None for no masks.
        at_least: least confidence of a clip's masks, in [0, 1].
    """

    segmenter: str | None = None
    at_least: int | float = 0.5

    def __post_init__(self) -> None:
        check_share("masks.at_least", self.at_least)


@dataclass(kw_only=True)
class FillSettings(JobSettings):
    """What ``fill-cache`` is told.

    Attributes:
        data: data set of the donors.
        generator: folder of a trained generator, or ``bundled``.
        n: clips.
        steps: of the sampler; None for the generator's own number.
        ef: for a generator that is told an EF: ``table`` (the motion donor's) or ``uniform`` (drawn, and the label);
            None: ``table`` where one is needed.
        ef_range: ``[low, high]`` in percent for ``uniform``; None: ``[10, 90]``.
        batch: clips generated at a time.
        balance: ``natural`` (as the donors' EF are spread) or ``uniform`` (every stratum of EF equally often).
        pairs: ``others``, ``any`` or ``self``: whom a motion donor is paired with.
        reserve: spare plan lines as a share of ``n``.
        label: see `LabelSettings`.
        gates: see `GateSettings`.
        masks: see `MaskSettings`.
        compression: ``lz4``, ``zstd``, ``gzip`` or ``none``.
        shard_clips: clips of a shard, at most.
        seal_seconds: age at which clips are sealed.
        rank: this process among ``world``; ``auto`` asks the launcher.
        world: processes that fill the folder together; ``auto`` asks the launcher.
    """

    data: DataSettings = field(default_factory=group(DataSettings))
    generator: str = "bundled"
    n: int = 1000
    steps: int | None = None
    ef: str | None = None
    ef_range: list[float] | None = None
    batch: int = 8
    balance: str = "natural"
    pairs: str = "others"
    reserve: int | float = 0.25
    label: LabelSettings = field(default_factory=LabelSettings)
    gates: GateSettings = field(default_factory=GateSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    compression: str = "lz4"
    shard_clips: int = 512
    seal_seconds: int | float = 300
    rank: int | str = AUTO
    world: int | str = AUTO

    def check_inputs(self) -> None:
        """Look for the data set, the generator and the teachers."""
        self.data.check_inputs()
        check_generator("generator", self.generator)
        check_trainings("label.teacher", [self.label.teacher])
        check_trainings("gates.label.teacher", [self.gates.label.teacher])
        check_trainings("masks.segmenter", [self.masks.segmenter])

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n", "batch", "shard_clips"):
            check_whole(name, getattr(self, name), 1)
        if self.steps is not None:
            check_whole("steps", self.steps)
        check_choice("balance", self.balance, BALANCES)
        check_choice("pairs", self.pairs, PAIRS)
        _ = self.token
        check_number("reserve", self.reserve, 0)
        check_choice("compression", self.compression, list(COMPRESSIONS))
        check_number("seal_seconds", self.seal_seconds, 0)
        teacher, judge = self.label.teacher, self.gates.label.teacher
        same = teacher is not None and judge is not None and Path(teacher).resolve() == Path(judge).resolve()
        if same and self.label.policy == "teacher":
            raise EchoAugmentError(
                f"gates.label.teacher={judge} would compare its readings with themselves: they are the labels",
                "Use another teacher for the gate, or label.policy=consensus",
            )

    @property
    def token(self) -> EFToken | None:
        """Which EF a generator is told; None: as it needs.

        Raises:
            EchoAugmentError: a range that is none, or one without ``ef=uniform``.
        """
        if self.ef_range is None:
            return None if self.ef is None else EFToken(self.ef)
        if self.ef != "uniform" or len(self.ef_range) != 2:
            raise EchoAugmentError(
                f"ef_range={self.ef_range} with ef={self.ef}", "Give ef=uniform and ef_range=[low,high] in percent"
            )
        return EFToken(self.ef, *(float(value) for value in self.ef_range))
