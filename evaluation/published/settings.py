"""Settings of published metrics."""

from dataclasses import dataclass, field

from echo_augment.cache.arguments import check_choice, check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.training_recipes.common.inputs import check_folders
from echo_augment.training_recipes.common.lpips import BACKBONES

from .networks import METRICS
from .scores import SPLITS


@dataclass(kw_only=True)
class MetricSettings:
    """Published metrics of ready-made clips, by networks of the user's.

    Attributes:
        weights: folder of the networks' files (`echo_augment.evaluation.published.networks`); None for no such metrics.
        names: of the metrics, some of ``fvd16``, ``fvd128``, ``fid``, ``is`` and ``lpips``.
        clips: videos a set, at most, at least 2.
        images: frames a set for FID, IS and LPIPS, about: each video gives as many; 10 or more for IS.
        lpips: LPIPS's network, ``alex`` or ``vgg``.
    """

    weights: str | None = None
    names: list[str] = field(default_factory=lambda: [*METRICS])
    clips: int = 2048
    images: int = 50000
    lpips: str = "alex"

    def __post_init__(self) -> None:
        for name in self.names:
            check_choice("metrics.names", name, METRICS)
        if not self.names:
            raise EchoAugmentError("metrics.names is empty", f"Name some of {', '.join(METRICS)}")
        check_whole("metrics.clips", self.clips, 2)
        check_whole("metrics.images", self.images, SPLITS if "is" in self.names else 1)
        check_choice("metrics.lpips", self.lpips, tuple(BACKBONES))

    def check_inputs(self) -> None:
        """Look for the folder.

        Raises:
            EchoAugmentError: it is not there.
        """
        check_folders(
            "metrics.weights",
            [self.weights],
            "Give the folder of I3D's, Inception's and LPIPS's files: see docs/how-to/published-metrics.md",
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The metrics in their own order."""
        return tuple(name for name in METRICS if name in self.names)
