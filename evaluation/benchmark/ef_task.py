"""The task ``ef``: regression of the ejection fraction, judged by the mean absolute error; and its label gate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import EchoNetDynamic
from echo_augment.augmentor.data.layouts.finding import DataFolder
from echo_augment.cache.gates import IMAGE_ONLY, KNOWS, Gate, PerClip, image_gate
from echo_augment.cache.generator import DonorGenerator
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.ef.run import EFRun
from echo_augment.training_recipes.ef.teacher import Teacher, known_videos
from echo_augment.training_recipes.ef.training import usable_videos
from echo_augment.training_recipes.filling.agreement import Limits, agree
from echo_augment.training_recipes.filling.gates import shape_of
from echo_augment.training_recipes.filling.label_gate import LabelGate, set_tolerance
from echo_augment.training_recipes.filling.readings import Readings
from echo_augment.training_recipes.training.run import TrainingRun
from echo_augment.training_recipes.training.subsets import choose_validation

from ..report.content import BenchmarkReport
from ..report.ef_report import write_ef_report
from ..report.verdict import EF_ERROR, Judged
from ..statistics.comparison import Precision, tabulate
from ..statistics.ef_summary import summarise
from ..statistics.results import LevelFigures
from .design import Design, Subset
from .task import Results, by_arm, first_level, labelled_share


class EFTask:
    """See `echo_augment.evaluation.benchmark.task.Task`."""

    run: type[TrainingRun] = EFRun
    prefix = ""
    judged: Judged = EF_ERROR

    def videos(self, root: DataFolder) -> list[str]:
        """Return the TRAIN videos with an EF that can be read."""
        return list(usable_videos(root, "train"))

    def check(self, design: Design) -> None:
        """Do nothing: every arm can learn EF."""

    def needs_teachers(self, design: Design) -> bool:
        """Return whether the label gate has to ask a net: clips bring their EF along."""
        return design.settings.label_gate is not None and "synthetic" in design.kinds()

    def oracle(self, root: Path) -> DonorGenerator:
        """Return what renders exact counterfactuals."""
        return OracleGenerator.of(root)

    def dress(self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None) -> DonorGenerator:
        """Return the generator as it is."""
        return bare

    def gates(
        self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """Return the image gate and, with ``label_gate``, the label gate; see `label_gate`.

        Raises:
            EchoAugmentError: the cache was begun with other gates.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if design.settings.label_gate is None or teacher is None:
            agree(folder, IMAGE_ONLY)
            return [PerClip(image_gate)]
        quantile = float(design.settings.label_gate)
        return [PerClip(image_gate), label_gate(bare, design, subset, teacher, folder, quantile)]

    def summarise(self, results: Results, precision: Precision) -> LevelFigures:
        """Return the figures of EF regression."""
        labelled, fraction = labelled_share(results)
        table = tabulate(by_arm(list(results.values())))
        return summarise(table, labelled=labelled, fraction=fraction, precision=precision)

    def write(
        self, design: Design, report: BenchmarkReport, caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """See `echo_augment.evaluation.report.ef_report.write_ef_report`."""
        folders = [caches[subset]["synthetic"] for subset in design.at(0) if "synthetic" in caches[subset]]
        clips = Path(folders[0]) if folders else None
        write_ef_report(design.out, report, tabulate(by_arm(first_level(results, report))), design.data, clips)


def label_gate(bare: Any, design: Design, subset: Subset, teacher: Path, folder: Path, quantile: float) -> LabelGate:
    """Return the gate that holds clips against the EF that a net reads from them.

    The teacher knows the run's labelled videos only, and its tolerance is set on the VAL videos that the run selects
    its weights by: a quantile of its absolute errors there. So no gate brings labels in by the back door.

    Args:
        bare: the generator, for the form of its clips: ``frames``, ``fps``, ``height``.
        design: of the benchmark.
        subset: whose clips are judged.
        teacher: folder of the training of the arm ``real`` of this subset.
        folder: of the cache, which keeps to the gates that it was begun with.
        quantile: of the errors, in (0, 1].

    Raises:
        EchoAugmentError: the cache was begun with other gates.
    """
    reader = Teacher.of_run(teacher, device=best_device(design.settings.device))

    def calibrate() -> Limits:
        rows = EchoNetDynamic(design.data, "val", "EF", require_tracings=False, on_error="skip").rows
        videos = {row.name: row for row in rows}
        share = len(design.subsets[subset]) / len(design.videos)
        judges = choose_validation(list(videos), share, design.settings.val_at_least, subset[1])
        chosen = [videos[name] for name in judges]
        return Limits(label=set_tolerance(reader, chosen, shape_of(bare), quantile=quantile))

    label = {"by": "teacher", "teacher": reader.fingerprint, "tolerance": None, "quantile": quantile}
    named = {**IMAGE_ONLY, "label": label, KNOWS: sorted(known_videos(teacher))}
    tolerance = agree(folder, named, calibrate)["label"]["tolerance"]
    return LabelGate(reader, reader="teacher", tolerance=tolerance, readings=Readings(folder))
