"""What the label-scarce protocol on EchoNet-Dynamic costs, in hours of a device by stage, from timed steps.

    echo-augment doctor device=cuda preset=base out=runs/cost
    python -m echo_augment.evaluation.studies.scarce_cost runs/cost docs/evidence

The doctor times a step of every stage of the generator; the steps of echonet's EF net are timed here, on the same
device, and kept beside its report. How many there are follows from the experiments and the sizes of EchoNet-Dynamic.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from torch import nn

from echo_augment.augmentor.devices import best_device, wait_for
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import write_json
from echo_augment.training_recipes.common.settings import settings_from
from echo_augment.training_recipes.ef.models import make_model
from echo_augment.training_recipes.training.recipe import Pace
from echo_augment.training_recipes.training.subsets import count_labels

from ..benchmark import job  # noqa: F401  registers the settings of the job
from ..benchmark.settings import BenchmarkSettings
from ..report.pages import Section, Words
from ..report.tables import Table
from ..speed.timing import Spread, interleave
from ..statistics.records import Record
from .documents import document_command, write_document
from .true_size_data import SPLITS

FRAMES = 176  # of a mean video
EXPERIMENTS = (
    "echonet_label_scarce",
    "echonet_label_scarce_val",
    "echonet_label_scarce_25",
    "echonet_label_scarce_25_val",
)
NAME, STEPS = "label-scarce-cost", "ef-steps.json"
ROUNDS, FORWARD = 3, 20  # repetitions; clips that a test reads at a time
LIMITS = (
    "Steps on made-up clips: reading and decoding videos is not in them, nor the filling of the caches, which "
    "`echo-augment speed` times; both run on other cores while a GPU computes.\n"
    "Every arm takes as many steps as the arm real; a mean teacher's step costs about a half more, a teacher's reading "
    "is left out.\n"
    "One GPU, one training at a time. Benchmarks that share `generator.folder` train the generator once."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EFSteps(Record):
    """Seconds of echonet's EF net on a device.

    Attributes:
        device: that computed.
        step: seconds of an optimiser step of a batch.
        forward: seconds of reading `FORWARD` clips.
    """

    device: str
    step: float
    forward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedStage(Record):
    """What the doctor says of a stage: seconds of a step or a video, how many there are, and their hours."""

    seconds: float
    count: int
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast(Record):
    """What the doctor's report says under ``training``, as far as it is read here."""

    device: str
    preset: str
    precision: str
    stages: Mapping[str, TimedStage]

    @property
    def hours(self) -> float:
        """Of all stages."""
        return sum(one.hours for one in self.stages.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an experiment asks of the EF net: trainings, optimiser steps, and batches of clips that are read."""

    trainings: int
    steps: int
    reads: int

    def hours(self, timed: EFSteps) -> tuple[float, float]:
        """Return the hours of the steps, and those of reading VAL and TEST."""
        return self.steps * timed.step / 3600, self.reads * timed.forward / 3600


def settings_of(experiment: str) -> BenchmarkSettings:
    """Return the settings of an experiment on a folder of any name."""
    GlobalHydra.instance().clear()
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("benchmark", [f"experiment={experiment}", "data.root=.", "out=."])
    return settings_from(cfg, BenchmarkSettings)


def work_of(settings: BenchmarkSettings) -> Work:
    """Return what an experiment asks of the EF net, on as many videos as EchoNet-Dynamic has."""
    recipe, steps, reads = settings.trainer, 0, 0
    windows = max(1, FRAMES - (int(recipe.length or 1) - 1) * int(recipe.period or 1))
    tested = SPLITS["TEST"] * (windows if recipe.test_clips is None else recipe.test_clips)
    for labels in settings.labels:
        count = count_labels(labels, SPLITS["TRAIN"])
        pace = Pace.of(recipe, count)
        judged = min(SPLITS["VAL"], max(settings.val_at_least, round(count / SPLITS["TRAIN"] * SPLITS["VAL"])))
        validations = pace.steps // (recipe.validate_every or pace.per_epoch)
        steps += pace.steps
        reads += -(-validations * judged * (recipe.val_clips or windows) // FORWARD) + -(-tested // FORWARD)
    each = len(settings.arm) * len(settings.seeds)
    return Work(trainings=each * len(settings.labels), steps=each * steps, reads=each * reads)


def time_steps(settings: BenchmarkSettings, device: str, rounds: int = ROUNDS) -> EFSteps:
    """Return the seconds of the EF net of an experiment, on made-up clips.

    Args:
        settings: say which net, and how large batch and clips are.
        device: ``auto``, ``cpu``, ``cuda``, ..
        rounds: repetitions; their median counts.
    """
    where, recipe = torch.device(best_device(device)), settings.trainer
    given = {**settings.model.settings}
    if "weights" in given:
        given["weights"] = "random"  # as fast as others, and nothing to download
    net = make_model(settings.model.name, given, 0).to(where)
    clips = torch.rand(max(recipe.batch_size, FORWARD), 3, int(recipe.length or 16), 112, 112, device=where)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9)

    def step(_: int) -> None:
        net.train()
        optimizer.zero_grad()
        nn.functional.mse_loss(net(clips[: recipe.batch_size]), clips.new_full((recipe.batch_size,), 55.0)).backward()
        optimizer.step()
        wait_for(where)

    def read(_: int) -> None:
        net.eval()
        with torch.no_grad():
            net(clips[:FORWARD])
        wait_for(where)

    found = interleave({"step": step, "read": read}, rounds, what="steps of the EF net")
    name = torch.cuda.get_device_name(where) if where.type == "cuda" else where.type
    return EFSteps(device=name, step=Spread.of(found["step"]).median, forward=Spread.of(found["read"]).median)


def document(training: Forecast, timed: EFSteps, work: Mapping[str, Work]) -> list[Section]:
    """Return the page.

    Args:
        training: what the doctor's report says under ``training``.
        timed: steps of the EF net.
        work: of every experiment.

    Raises:
        EchoAugmentError: the doctor and the EF net were timed on two devices.
    """
    if training.device != timed.device:
        raise EchoAugmentError(
            f"the generator's steps were timed on {training.device}, the EF net's on {timed.device}",
            f"Delete {STEPS} beside the doctor's report and run this on that device",
        )
    stages, generator = training.stages, training.hours
    rows = [[name, f"{one.seconds:.3g}", f"{one.count:,}", f"{one.hours:.1f}"] for name, one in stages.items()]
    rows.append(["together", "", "", f"{generator:.1f}"])
    costs = []
    for name, one in work.items():
        learned, read = one.hours(timed)
        total = generator + learned + read
        costs.append(
            [name, str(one.trainings), f"{one.steps:,}", *(f"{hours:.0f}" for hours in (learned, read, total))]
        )
    head = ["experiment", "trainings", "optimiser steps", "their hours", "hours of VAL and TEST", "with the generator"]
    words = (
        f"Hours of one {timed.device}: a step of the EF net takes {timed.step:.3g} s, reading {FORWARD} clips "
        f"{timed.forward:.3g} s; preset {training.preset} in {training.precision}. 45 epochs are echonet's "
        "recipe, 25 UCVME's (`_25`); weights are chosen on VAL in proportion to the labels, or on all of it (`_val`)."
    )
    return [
        Section("What the label-scarce protocol costs", [Words(words), Table(head, costs)]),
        Section("The generator, by stage", [Table(["stage", "seconds of one", "of them", "hours"], rows)]),
        Section("Limits", [Words(LIMITS, "list")]),
    ]


def write(folder: Path, docs: Path) -> Path:
    """Write the page and its JSON, and return the page's path; the EF net is timed unless that was done before.

    Args:
        folder: of the doctor's report, with a forecast.
        docs: where they go; made if it is missing.

    Raises:
        EchoAugmentError: there is no such report, or as `document`.
    """
    path = folder / "report.json"
    training = json.loads(path.read_text(encoding="utf-8")).get("training") if path.is_file() else None
    if training is None:
        raise EchoAugmentError(
            f"{path}: has no timed steps", f"echo-augment doctor device=cuda preset=base out={folder}"
        )
    settings = {name: settings_of(name) for name in EXPERIMENTS}
    kept = folder / STEPS
    if not kept.is_file():
        write_json(kept, time_steps(settings[EXPERIMENTS[0]], "auto").to_json())
    timed = EFSteps.from_json(json.loads(kept.read_text(encoding="utf-8")))
    work = {name: work_of(one) for name, one in settings.items()}
    page = write_document(docs, NAME, document(Forecast.from_json(training), timed, work))
    told = {name: {**asdict(one), "hours": one.hours(timed)} for name, one in work.items()}
    write_json(docs / f"{NAME}.json", {"training": training, "ef": timed.to_json(), "experiments": told})
    return page


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.scarce_cost FOLDER DOCS``."""
    return document_command("scarce_cost", write, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
