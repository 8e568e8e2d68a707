"""Try the steps of an albumentations transform: images keep their shape and stay in [0, 1]."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs

with needs("recipes"):
    import albumentations as A

Images = npt.NDArray[np.float32]
DRAWS = 3
SIZE = 112  # of the test image, the size of EchoNet-Dynamic's videos
OVERSHOOT = 0.05  # beyond [0, 1] on the smooth test image
SHARP = 0.5  # likewise on real images, where cubic interpolation overshoots at sharp edges
FLAT = 0.02  # contrast of the result, as a share of the test image's, below which it shows nothing


def check_steps(transform: Any, real_shape: Callable[[], tuple[int, ...]]) -> None:
    """Raise if a step makes anything but float images of the same shape in [0, 1] out of such images.

    Each step is tried a few times, with ``p=1``, on copies: no random state is touched.

    Args:
        transform: albumentations transform or composition of some.
        real_shape: called if a step does not fit the test image of 112 x 112 pixels; gives the shape of real images
            ``(N, H, W, C)``, on which the step is tried again.

    Raises:
        EchoAugmentError: names the step by its class.
    """
    for step in steps_of(transform):
        fault = _fault(step, (1, SIZE, SIZE, 1))
        if fault and fault.about_size:
            fault = _fault(step, real_shape())
        if fault:
            raise EchoAugmentError(
                f"ClassicalAugment: the step {type(step).__name__} {fault}",
                "Leave it out: images come as float32 in [0, 1] and must stay so, in their size; "
                "ClassicalAugment itself undoes and redoes the normalisation",
            )


def steps_of(transform: Any) -> Iterator[A.BasicTransform]:
    """Yield the single steps of a transform, compositions within compositions included."""
    if isinstance(transform, A.BasicTransform):
        yield transform
        return
    for step in transform.transforms:
        yield from steps_of(step)


def check_images(before: Images, after: Any, what: str) -> None:
    """Raise if the images of a sample, transformed, are not what they have to be.

    Raises:
        EchoAugmentError: another shape or type, values clearly outside [0, 1], or not finite.
    """
    fault = fault_of(before, after, SHARP)
    if fault:
        raise EchoAugmentError(
            f"ClassicalAugment: {what} {fault}", "Leave out the step that does it; see help(ClassicalAugment)"
        )


class Fault(str):
    """What is wrong, in words; ``about_size``: it may be right for images of another size."""

    about_size = False


def fault_of(before: Images, after: Any, overshoot: float) -> Fault | None:
    """Return what is wrong with transformed images; None if nothing is."""
    if not isinstance(after, np.ndarray):
        return Fault(f"gives {type(after).__name__} instead of a NumPy array")
    if after.shape != before.shape:
        fault = Fault(f"changes the shape of images from {before.shape[1:]} to {after.shape[1:]}")
        fault.about_size = True
        return fault
    if after.dtype.kind != "f":
        return Fault(f"gives {after.dtype} instead of float32")
    low, high = float(after.min(initial=0)), float(after.max(initial=0))
    if not np.isfinite([low, high]).all():
        return Fault("gives values that are not finite")
    if low < -overshoot or high > 1 + overshoot:
        return Fault(f"leaves [0, 1]: it gives values from {low:.3g} to {high:.3g}")
    return None


def _fault(step: A.BasicTransform, shape: tuple[int, ...]) -> Fault | None:
    images = test_images(shape)
    for draw in range(DRAWS):
        trial = copy.deepcopy(step)
        trial.p = 1.0
        alone = A.Compose([trial])
        alone.set_random_state(np.random.default_rng(draw), random.Random(draw))
        try:
            after = alone(images=images.copy())["images"]
        except Exception as error:  # whatever the step says, it would say in the middle of a training
            fault = Fault(f"fails: {type(error).__name__}: {error}")
            fault.about_size = True
            return fault
        wrong = fault_of(images, after, OVERSHOOT)
        if wrong:
            return wrong
        if draw == 0 and float(np.ptp(after)) < FLAT * float(np.ptp(images)):
            return Fault(f"makes images of one grey: values from {after.min():.3g} to {after.max():.3g}")
    return None


def test_images(shape: tuple[int, ...]) -> Images:
    """Return smooth grey images ``(N, H, W, C)``: 1 in the middle, 0 at the border."""
    _, height, width, _ = shape
    down, across = (np.sin(np.linspace(0, np.pi, size, dtype=np.float32)) ** 2 for size in (height, width))
    return np.ascontiguousarray(np.broadcast_to((down[:, None] * across)[None, ..., None], shape), np.float32)
