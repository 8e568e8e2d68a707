"""The task ``ef``: regression of the ejection fraction, judged by the mean absolute error; and its label gate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.data import EchoNetDynamic, read_video
from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder
from echo_augment.cache import EchoClip
from echo_augment.cache.errors import EchoAugmentError
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
from ..statistics.comparison import Dealt, Precision, Table, tabulate
from ..statistics.ef_summary import summarise
from ..statistics.metrics import METRICS, Metric
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
        return design.settings.label_gate is not None and bool(design.taught())

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

    def summarise(self, results: Results, precision: Precision, dealt: Dealt) -> LevelFigures:
        """Return the figures of EF regression."""
        labelled, fraction = labelled_share(results)
        table = tabulate(by_arm(list(results.values())), dealt)
        return summarise(table, labelled=labelled, fraction=fraction, precision=precision)

    def table(self, results: Results, dealt: Dealt) -> tuple[Metric, Table]:
        """Return the mean absolute error, and true and predicted EF in percent."""
        return METRICS["mae"], tabulate(by_arm(list(results.values())), dealt)

    def test(self, folder: Path, data: DataFiles, device: str) -> dict[str, list[float]]:
        """Return true EF in percent and what the net reads, the mean over a few windows of each video.

        Videos of another frame rate or size are read at those that the net was trained with; too short ones are left
        out.

        Raises:
            EchoAugmentError: no TEST video has an EF and is long enough.
        """
        reader = Teacher.of_run(folder, device=best_device(device))
        found = {}
        for row in EchoNetDynamic(data, "test", "EF", require_tracings=False, on_error="skip").rows:
            frames, fps = read_video(row.path)
            clip = EchoClip(row.name, frames, fps if fps > 0 else row.fps)
            if reader.room(clip) >= 0:
                found[row.name] = [float(row.ef), float(reader([clip])[0])]
        if not found:
            raise EchoAugmentError(f"{data.root}: no TEST video is as long as the net's clips", "Leave it out of test=")
        return found

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
