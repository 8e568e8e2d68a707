"""The job ``import-weights``: published weights become a generator of this package, or a MAFE to start from."""

from dataclasses import dataclass
from pathlib import Path

from diffusers.models.modeling_utils import ModelMixin
from omegaconf import MISSING, DictConfig

from echo_augment.augmentor.mcdm.codec import ReferenceCodec
from echo_augment.augmentor.mcdm.fingerprint import hash_network, hash_pipeline
from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.published.emavfi import import_mafe
from echo_augment.augmentor.mcdm.published.layouts import HUB, LAYOUTS
from echo_augment.augmentor.mcdm.published.pipelines import import_pipeline
from echo_augment.cache.arguments import HUB_ID, check_choice, check_number
from echo_augment.cache.errors import EchoAugmentError

from ..common.reporting import REPORT, write_report
from ..common.settings import JobSettings, register, settings_from

EMAVFI = "emavfi"
SOURCES = (*LAYOUTS, EMAVFI)
TERMS = (
    "Weights stay under the terms of those who published them, and of the data that trained them: clips of a generator "
    "that learned from EchoNet-Dynamic come under its research agreement, too."
)


@dataclass(kw_only=True)
class ImportWeightsSettings(JobSettings):
    """What ``import-weights`` is told.

    Attributes:
        source: typed ``from=``: ``echonet-synthetic``, ``mcdm`` or ``emavfi``.
        files: typed ``data=``: a folder or Hub id; for ``emavfi`` a file.
        mafe: for ``mcdm``, MAFE's checkpoint in EMA-VFI's layout; None otherwise.
        rate: frames per second of the clips that trained the generator; None: as its makers' script says.
        name: kept as the clips' preset; None: ``source``.
    """

    source: str = MISSING
    files: str = MISSING
    mafe: str | None = None
    rate: int | float | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("from", self.source, SOURCES)
        if self.rate is not None:
            check_number("rate", self.rate, 0, above_low=True)
        for key, value in (("mafe", self.mafe), ("rate", self.rate), ("name", self.name)):
            if value is not None and (self.source == EMAVFI or (key == "mafe" and self.source != "mcdm")):
                raise EchoAugmentError(f"{key}={value} says nothing to from={self.source}", f"Leave {key} out")
        if self.source == "mcdm" and self.mafe is None:
            raise EchoAugmentError(
                "from=mcdm: the generator is told MAFE's motion vector, and mafe is null",
                "Give mafe=FILE, MAFE's checkpoint in EMA-VFI's layout",
            )

    def check_inputs(self) -> None:
        """Look for the weights."""
        for key, value in (("data", self.files), ("mafe", self.mafe)):
            on_hub = key == "data" and self.source != EMAVFI and HUB_ID.fullmatch(self.files.removeprefix(HUB))
            if value is not None and not Path(value).exists() and not on_hub:
                raise EchoAugmentError(f"{key}={value}: there is no such file or folder", "Give its path")


def run(cfg: DictConfig) -> None:
    """Write the imported generator, or MAFE, into ``out``.

    Raises:
        EchoAugmentError: a weight or file is missing, extra or of another shape; the first one is named.
    """
    settings = settings_from(cfg, ImportWeightsSettings)
    out = Path(settings.out)
    if settings.source == EMAVFI:
        mafe = import_mafe(Path(settings.files))
        mafe.save_pretrained(out)
        parts: dict[str, ModelMixin] = {"mafe": mafe}
        hashed = hash_network(mafe)
        line = f"Start MAFE from it: echo-augment train-generator preset=paper preset.mafe.start={out}"
    else:
        encoder: MAFE | None = None if settings.mafe is None else import_mafe(Path(settings.mafe))
        rate = None if settings.rate is None else float(settings.rate)
        layout = LAYOUTS[settings.source]
        pipeline = import_pipeline(settings.files, layout, mafe=encoder, rate=rate, name=settings.name)
        pipeline.save_pretrained(out)
        parts = {name: part for name, part in pipeline.components.items() if isinstance(part, ModelMixin)}
        hashed = hash_pipeline(pipeline)
        told = " ef=table" if layout.code == "ef" else ""
        line = f"Fill a cache with it: echo-augment fill-cache generator={out}{told} data=echonet data.root=FOLDER"
    figures = {
        "parameters": {name: part.num_parameters() for name, part in parts.items()},
        "fingerprint": hashed,
        "terms": TERMS,
    }
    if settings.source != EMAVFI:
        codec = pipeline.vae
        assert isinstance(codec, ReferenceCodec)
        kept = {
            key: pipeline.config[key] for key in ("frames", "rate", "size", "code", "sampler", "steps", "reference")
        }
        figures |= {"generator": kept | {"scaling_factor": codec.config["scaling_factor"], "half_range": codec.zero_at}}
    write_report(out, "import-weights", cfg, {**figures, "seeds": [settings.seed]})
    print(", ".join(f"{name} {part.num_parameters():,} parameters" for name, part in parts.items()))
    print(TERMS)
    print(f"{line}; see {out / REPORT}")


register("import-weights", ImportWeightsSettings)
