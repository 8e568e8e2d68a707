"""The task ``ef``: regression of the ejection fraction, judged by the mean absolute error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from echo_augment.cache.gates import AnyGate
from echo_augment.training_recipes.arms.oracle import OracleGenerator
from echo_augment.training_recipes.ef.training import usable_hearts
from echo_augment.training_recipes.filling.fill import Generator
from echo_augment.training_recipes.training.run import EfRun

from .design import Design, Subset
from .report import write_html
from .summary import summarise, tabulate
from .tasks import Results, by_arm
from .teacher_gate import check_label_gate, ef_gates
from .verdict import gain_sentence, verdict


class EfTask:
    """See `echo_augment.evaluation.tasks.Task`."""

    run: type[EfRun] = EfRun
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
    ) -> Sequence[AnyGate]:
        """See `echo_augment.evaluation.teacher_gate.ef_gates`."""
        return ef_gates(bare, design, subset, teacher, folder)

    def summarise(self, results: Sequence[Mapping[str, Any]], **settings: Any) -> dict[str, Any]:
        """See `echo_augment.evaluation.summary.summarise`."""
        _, true, predicted = tabulate(by_arm(results))
        return summarise(true, predicted, **settings)

    def verdict(self, report: Mapping[str, Any]) -> str:
        """Whether ``synthetic`` helped, and how much of the oracle's gain it brought."""
        return " ".join(filter(None, [verdict(report), gain_sentence(report)]))

    def write(
        self, design: Design, report: Mapping[str, Any], caches: Mapping[Subset, Mapping[str, str]], results: Results
    ) -> None:
        """See `echo_augment.evaluation.report.write_html`."""
        write_html(
            design.out, report, design.root, {str(subset[1]): caches[subset] for subset in design.at(0)}, results
        )
