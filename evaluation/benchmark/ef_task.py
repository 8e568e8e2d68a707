"""The task ``ef``: regression of the ejection fraction, judged by the mean absolute error; and its label gate."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import KNOWS, Gate, PerClip, image_gate
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.teacher import Teacher, known_hearts
from echo_augment.training_recipes.ef.training import usable_hearts
from echo_augment.training_recipes.filling.fill import Generator
from echo_augment.training_recipes.filling.label_gate import LabelGate, set_tolerance
from echo_augment.training_recipes.filling.readings import Readings
from echo_augment.training_recipes.filling.settings import IMAGE_ONLY, agree
from echo_augment.training_recipes.training.run import TrainingResult, TrainingRun
from echo_augment.training_recipes.training.subsets import choose_validation

from ..report.ef_report import write_html
from ..report.verdict import gain_sentence, verdict
from ..statistics.ef_summary import Results, by_arm, summarise, tabulate
from .design import Design, Subset


class EfTask:
    """See `echo_augment.evaluation.benchmark.task.Task`."""

    run: type[TrainingRun] = EFRun
    prefix = ""

    def hearts(self, root: Path) -> list[str]:
        """TRAIN hearts with an EF whose video can be read."""
        return list(usable_hearts(root, "train"))

    def check(self, design: Design) -> None:
        """Every arm can learn EF; raises EchoAugmentError for a ``label_gate`` that is none."""
        check_label_gate(design.settings.get("label_gate"), design.settings["caches"])

    def needs_teachers(self, design: Design) -> bool:
        """Clips bring their EF along; the label gate asks a net whether they show it."""
        return design.settings.get("label_gate") is not None and "synthetic" in design.kinds()

    def oracle(self, root: Path) -> Generator:
        """Exact counterfactuals."""
        return OracleGenerator.of(root)

    def dress(self, bare: Generator, design: Design, subset: Subset, teacher: Path | None) -> Generator:
        """Nothing more is needed."""
        return bare

    def gates(
        self, bare: Generator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """See `echo_augment.evaluation.benchmark.ef_task.ef_gates`."""
        return ef_gates(bare, design, subset, teacher, folder)

    def summarise(self, results: Sequence[TrainingResult[Any]], **settings: Any) -> dict[str, Any]:
        """See `echo_augment.evaluation.statistics.ef_summary.summarise`."""
        _, true, predicted = tabulate(by_arm(results))
        return summarise(true, predicted, **settings)

    def verdict(self, report: Mapping[str, Any]) -> str:
        """Whether ``synthetic`` helped, and how much of the oracle's gain it brought."""
        return " ".join(filter(None, [verdict(report), gain_sentence(report)]))

    def write(
        self, design: Design, report: Mapping[str, Any], caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """See `echo_augment.evaluation.report.ef_report.write_html`."""
        write_html(
            design.out, report, design.root, {str(subset[1]): caches[subset] for subset in design.at(0)}, results
        )


def check_label_gate(value: Any, ready: Collection[str]) -> None:
    """Refuse a ``label_gate`` that is no quantile, or that would judge nothing.

    Args:
        value: of the setting.
        ready: the kinds of clips whose cache is given and not filled.

    Raises:
        EchoAugmentError: it is neither null nor in (0, 1], or the synthetic clips are there already.
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1):
        raise EchoAugmentError(f"label_gate must be null or a quantile in (0, 1], got {value!r}")
    if value is not None and "synthetic" in ready:
        raise EchoAugmentError(
            f"label_gate={value} would judge no clip: +caches.synthetic is filled already",
            "Leave one of the two out; fill-cache has gates of its own",
        )


def ef_gates(bare: Any, design: Design, subset: Subset, teacher: Path | None, folder: Path) -> list[Gate]:
    """The image gate and, where ``label_gate`` is set, the label gate.

    The teacher knows the run's labelled hearts only, and its tolerance is set on the VAL hearts that the run selects
    its weights by: a quantile of its absolute errors there. So no gate brings labels in by the back door.

    Args:
        bare: the generator, with the form of its clips.
        design: of the benchmark.
        subset: whose clips are judged.
        teacher: folder of the training of the arm ``real`` of this subset; None for no label gate.
        folder: of the cache, which keeps to the gates it was begun with.

    Raises:
        EchoAugmentError: the cache was begun with other gates.
    """
    quantile = design.settings.get("label_gate")
    folder.mkdir(parents=True, exist_ok=True)
    if quantile is None or teacher is None:
        agree(folder, IMAGE_ONLY, dict)
        return [PerClip(image_gate)]
    reader = Teacher.of_run(teacher, device=best_device(design.settings["device"]))

    def calibrate() -> dict[str, Any]:
        rows = EchoNetDynamic(design.root, "val", "EF", require_tracings=False, on_error="skip").rows
        hearts = {row.name: row for row in rows}
        share = len(design.subsets[subset]) / len(design.hearts)
        judges = choose_validation(list(hearts), share, design.settings["val_at_least"], subset[1])
        form: dict[str, Any] = {"frames": int(bare.frames), "rate": float(bare.fps), "size": int(bare.height)}
        return {"label": set_tolerance(reader, [hearts[name] for name in judges], **form, quantile=float(quantile))}

    label = {"by": "teacher", "teacher": reader.fingerprint, "tolerance": None, "quantile": float(quantile)}
    named = {**IMAGE_ONLY, "label": label, KNOWS: sorted(known_hearts(teacher))}
    tolerance = agree(folder, named, calibrate)["label"]["tolerance"]
    return [PerClip(image_gate), LabelGate(reader, reader="teacher", tolerance=tolerance, readings=Readings(folder))]
