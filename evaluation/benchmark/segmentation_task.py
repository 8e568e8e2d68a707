"""The task ``segmentation``: LV masks, judged by Dice.

Synthetic clips get their masks from a segmenter that was trained on the labelled hearts of the same run (the arm
``real``), and only clips whose masks the donors do not contradict are kept: see `echo_augment.augmentor.mcdm.masks`.
The oracle's clips carry their exact masks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.augmentor.mcdm.masks import MaskGate, WithMasks
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.gates import KNOWS, Gate, PerClip, image_gate
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.common.ranks import best_device
from echo_augment.training_recipes.ef.teacher import known_hearts
from echo_augment.training_recipes.filling.fill import Generator
from echo_augment.training_recipes.filling.settings import IMAGE_ONLY, agree
from echo_augment.training_recipes.segmentation.run import SegmentationRun
from echo_augment.training_recipes.segmentation.teacher import load_segmenter
from echo_augment.training_recipes.segmentation.training import traced_hearts, traced_masks
from echo_augment.training_recipes.training.run import TrainingResult, TrainingRun

from ..report.segmentation_report import verdict, write_report_pages
from ..statistics.ef_summary import Results, by_arm, first_labels
from ..statistics.segmentation_summary import summarise_hearts
from .design import Design, Subset

OURS = tuple(f"echo_augment.training_recipes.arms.{name}" for name in ("pseudo_label", "mean_teacher"))


class SegmentationTask:
    """See `echo_augment.evaluation.benchmark.task.Task`."""

    run: type[TrainingRun] = SegmentationRun
    prefix = "masked-"

    def hearts(self, root: Path) -> list[str]:
        """TRAIN hearts with tracings of ED and ES."""
        return list(traced_hearts(root, "train"))

    def check(self, design: Design) -> None:
        """Raises EchoAugmentError for an arm whose unlabelled clips get an EF, and no mask; and for a label gate."""
        if design.settings.get("label_gate") is not None:
            raise EchoAugmentError("label_gate is for task=ef: it reads the EF of clips", "Use masks_at_least=")
        for name, spec in design.arms.items():
            if spec.get("teacher") is not None or spec.get("_target_") in OURS:
                raise EchoAugmentError(
                    f"the arm {name} learns EF from unlabelled clips; task=segmentation has no such arm",
                    "Use real, classical, synthetic, oracle or full",
                )

    def needs_teachers(self, design: Design) -> bool:
        """The segmenter draws the masks of synthetic clips."""
        return "synthetic" in design.kinds()

    def oracle(self, root: Path) -> Generator:
        """Exact counterfactuals with their masks."""
        return OracleGenerator.of(root, masks=True)

    def dress(self, bare: Generator, design: Design, subset: Subset, teacher: Path | None) -> Generator:
        """A segmenter draws the masks where they are not exact."""
        if teacher is None:
            return bare
        # Tracings of labelled hearts only: those of the others this run must not know.
        segmenter = load_segmenter(teacher, device=best_device(design.settings["device"]))
        return WithMasks(bare, segmenter, traced_masks(design.root, design.subsets[subset]))

    def gates(
        self, bare: Generator, design: Design, subset: Subset, teacher: Path | None, folder: Path
    ) -> Sequence[Gate]:
        """The image gate, and agreement of the masks with both donors; a cache keeps to what it was begun with.

        Raises:
            EchoAugmentError: the cache was begun with another ``masks_at_least``.
        """
        least = float(design.settings["masks_at_least"])
        folder.mkdir(parents=True, exist_ok=True)
        known = [] if teacher is None else sorted(known_hearts(teacher))  # the oracle's masks are nobody's work
        agree(folder, {**IMAGE_ONLY, "masks": least, KNOWS: known}, dict)
        return [PerClip(image_gate), MaskGate(least)]

    def summarise(self, results: Sequence[TrainingResult[Any]], **settings: Any) -> dict[str, Any]:
        """See `echo_augment.evaluation.statistics.segmentation_summary.summarise_hearts`."""
        return summarise_hearts(by_arm(results), **settings)

    def verdict(self, report: Mapping[str, Any]) -> str:
        """Whether ``synthetic`` helped."""
        return verdict(report)

    def write(
        self, design: Design, report: Mapping[str, Any], caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """See `echo_augment.evaluation.report.segmentation_report.write_report_pages`."""
        first = design.at(0)[0]
        overlays = {arm: design.folder(first, arm) / "overlay.png" for arm in design.arms}
        write_report_pages(design.out, report, caches[first], overlays, first_labels(results, report))
