"""Gates that need nothing but the clip."""

import numpy as np

from .plan_line import PlanLine
from .record import EchoClip

DARK, FLAT, STILL, BRIGHT = 3.0, 4.0, 0.05, 200.0


def image_gate(line: PlanLine, clip: EchoClip) -> str | None:
    """Reject a clip that is no echocardiogram at first sight: black, white, without contrast, or without motion.

    The limits, in grey levels, lie far outside real clips: six videos of EchoNet-Dynamic have means of 24 to 46, a
    standard deviation of 38 or more in every frame, and differences of 3.5 to 5.5 from frame to frame at 50 fps.

    Args:
        line: not looked at.
        clip: any clip of two or more frames.

    Returns:
        None, or ``"image: ..."`` with the figure.
    """
    frames = clip.frames.astype(np.float32)
    mean, spread = float(frames.mean()), float(frames.std(axis=(1, 2)).min())
    if mean < DARK:
        return f"image: black, mean {mean:.2f}"
    if mean > BRIGHT:
        return f"image: white, mean {mean:.1f}"
    if spread < FLAT:
        return f"image: flat, a frame has standard deviation {spread:.2f}"
    change = float(np.abs(np.diff(frames, axis=0)).mean()) if len(frames) > 1 else np.inf
    return f"image: still, mean difference between frames {change:.3f}" if change < STILL else None
