"""The task ``segmentation``: LV masks, judged by Dice.

Synthetic clips get their masks from a segmenter that was trained on the labelled videos of the same run (the arm
``real``), and only clips whose masks the donors do not contradict are kept: see `echo_augment.augmentor.mcdm.masks`.
The oracle's clips carry their exact masks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from echo_augment.augmentor.data.layouts.finding import DataFiles, DataFolder
from echo_augment.augmentor.mcdm.masks import MaskGate, WithMasks
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import IMAGE_ONLY, KNOWS, Gate, PerClip, image_gate
from echo_augment.cache.generator import DonorGenerator
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.arms.peer_clips import PEER
from echo_augment.training_recipes.arms.specification import TOLD, clips_of
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.ef.teacher import known_videos
from echo_augment.training_recipes.filling.agreement import agree
from echo_augment.training_recipes.segmentation.measures import MaskFigures
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.segmentation.teacher import load_segmenter
from echo_augment.training_recipes.segmentation.training import measure_traced, traced_masks, traced_videos
from echo_augment.training_recipes.training.run import TrainingRun

from ..report.content import BenchmarkReport
from ..report.segmentation_report import write_segmentation_report
from ..report.verdict import DICE, Judged
from ..statistics.comparison import Dealt, Precision, Table
from ..statistics.metrics import Metric
from ..statistics.results import LevelFigures
from ..statistics.segmentation_summary import columns_of, ef_from_masks, summarise
from .design import Design, Subset
from .task import Results, by_arm, first_level, labelled_share

EF_ONLY = ("pseudo_label", "mean_teacher", "synthetic_mean_teacher", "mixup")
EF_ARMS = tuple(f"echo_augment.training_recipes.arms.{name}" for name in EF_ONLY)


class SegmentationTask:
    """See `echo_augment.evaluation.benchmark.task.Task`."""

    run: type[TrainingRun] = SegmentationRun
    prefix = "masked-"
    judged: Judged = DICE

    def videos(self, root: DataFolder) -> list[str]:
        """Return the TRAIN videos with tracings of ED and ES."""
        return list(traced_videos(root, "train"))

    def check(self, design: Design) -> None:
        """Raise EchoAugmentError for a label gate, and for an arm whose unlabelled clips get an EF and no mask."""
        if design.settings.label_gate is not None:
            raise EchoAugmentError("label_gate is for task=ef: it reads the EF of clips", "Use masks_at_least=")
        if design.settings.masks_at_least is None:
            raise EchoAugmentError(
                "masks_at_least is null", "Give the confidence of a clip's masks: masks_at_least=0.5"
            )
        for name, spec in design.arms.items():
            if clips_of(spec) in (PEER, TOLD):
                whose = "an imported set" if clips_of(spec) == PEER else "a generator that is told an EF"
                raise EchoAugmentError(f"the arm {name} has clips of {whose}, which brings no masks", "Leave it out")
            if spec.get("model") is not None:
                raise EchoAugmentError(f"the arm {name} has a network of its own, for EF", "Leave it out")
            if spec.get("teacher") is not None or spec.get("_target_") in EF_ARMS:
                raise EchoAugmentError(
                    f"the arm {name} learns EF from unlabelled or mixed clips; task=segmentation has no such arm",
                    "Use real, classical, classical_strong, synthetic, oracle or full",
                )

    def needs_teachers(self, design: Design) -> bool:
        """Return whether a segmenter has to draw the masks of synthetic clips."""
        return bool(design.taught())

    def oracle(self, root: Path) -> DonorGenerator:
        """Return what renders exact counterfactuals with their masks."""
        return OracleGenerator.of(root, masks=True)

    def dress(self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None) -> DonorGenerator:
        """Return the generator with a segmenter that draws the masks, unless they are exact."""
        if teacher is None:
            return bare
        # Tracings of labelled videos only: those of the others this run must not know.
        segmenter = load_segmenter(teacher, device=best_device(design.settings.device))
        return WithMasks(bare, segmenter, traced_masks(design.data, design.subsets[subset]))

    def gates(
        self, bare: DonorGenerator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """Return the image gate, and agreement of the masks with both donors.

        Raises:
            EchoAugmentError: the cache was begun with another ``masks_at_least``.
        """
        least = float(design.settings.masks_at_least or 0.0)
        folder.mkdir(parents=True, exist_ok=True)
        known = [] if teacher is None else sorted(known_videos(teacher))  # the oracle's masks are nobody's work
        agree(folder, {**IMAGE_ONLY, "masks": least, KNOWS: known})
        return [PerClip(image_gate), MaskGate(least)]

    def summarise(self, results: Results, precision: Precision, dealt: Dealt) -> LevelFigures:
        """Return the figures of segmentation."""
        labelled, fraction = labelled_share(results)
        return summarise(
            by_arm(list(results.values())), labelled=labelled, fraction=fraction, precision=precision, dealt=dealt
        )

    def table(self, results: Results, dealt: Dealt) -> tuple[Metric, Table]:
        """Return Dice, and that of every TEST video (the true value is 1)."""
        columns = columns_of(by_arm(list(results.values())), dealt)
        dice = next(one for one in columns if one.metric.name == self.judged.metric)
        return dice.metric, dice.table

    def test(self, folder: Path, data: DataFiles, device: str) -> dict[str, MaskFigures]:
        """Return the figures of the masks that the net draws on the traced frames of each video, resized to its own.

        Raises:
            EchoAugmentError: no TEST video is traced.
        """
        return measure_traced(load_segmenter(folder, device=best_device(device)), data)

    def write(
        self, design: Design, report: BenchmarkReport, caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """See `echo_augment.evaluation.report.segmentation_report.write_segmentation_report`."""
        first = design.at(0)[0]
        overlays = {arm: design.folder(first, arm) / "overlay.png" for arm in design.arms}
        clips = Path(caches[first]["synthetic"]) if "synthetic" in caches[first] else None
        from_masks = ef_from_masks(by_arm(first_level(results, report)))
        write_segmentation_report(design.out, report, from_masks, clips, overlays)
