"""What is drawn over a sector: text, rulers and icons that stand still, and the line of an ECG that runs."""

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

STILL = 4  # grey levels: tissue always flickers more than this; a lossy codec's noise on letters rarely does
BRIGHT, SHARP = 32, 24  # grey levels of a letter, and above what is around it
ON = 80  # grey levels that a running trace jumps by
STAYS = 0.1  # share of the frames that it then keeps its level
LETTERS = 0.3  # share of its box that a group of letters fills; a curve fills less
WIDE = 0.15  # share of the width that a running trace spans at least


def drawn_over(frames: Frames, low: Frames, change: Frames, inside: Mask) -> Mask:
    """Text, rulers and icons: thin, bright, and still while tissue moves.

    Letters are blacked out as whole blocks, for black letters could be read as well as white ones.

    Args:
        frames: ``(T, H, W)``.
        low: darkest value of each pixel over time ``(H, W)``.
        change: brightest less darkest ``(H, W)``.
        inside: where to look.
    """
    reach = max(2, min(low.shape) // 40)
    around = cv2.morphologyEx(low, cv2.MORPH_OPEN, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    thin = (low >= BRIGHT) & (low.astype(np.int16) - around >= SHARP)
    still = thin & (change <= STILL) & inside
    if not still.any():
        return still
    # The rim of a letter is half tissue and moves; what touches a still core belongs to it.
    grown = cv2.dilate(still.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return blocks(grown, reach)


def running_trace(frames: Frames, high: Frames, change: Frames, inside: Mask) -> Mask:
    """A curve that is drawn while the video runs, such as an ECG: pixels jump to one level and keep it for a while.

    Args:
        frames: ``(T, H, W)``.
        high: brightest value of each pixel over time ``(H, W)``.
        change: brightest less darkest ``(H, W)``.
        inside: where to look.
    """
    reach = max(2, min(high.shape) // 40)
    around = cv2.morphologyEx(high, cv2.MORPH_OPEN, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    candidates = (change >= ON) & (high.astype(np.int16) - around >= SHARP) & inside
    ys, xs = np.nonzero(candidates)
    trace = np.zeros(high.shape, np.bool_)
    if len(ys) < WIDE * high.shape[1]:
        return trace
    values = frames[:, ys, xs].astype(np.int16)
    level = values >= high[ys, xs].astype(np.int16) - STILL
    jumps = (np.abs(np.diff(values, axis=0)) >= ON) & (level[1:] != level[:-1])
    kept = level.sum(axis=0) >= max(2, STAYS * len(frames))
    switches = (level[1:] != level[:-1]).sum(axis=0)
    # Once on or off, or on and off again; and each time in one jump, which no echo does.
    drawn = kept & (switches >= 1) & (switches <= 2) & (jumps.sum(axis=0) == switches)
    trace[ys[drawn], xs[drawn]] = True
    grown = cv2.dilate(trace.astype(np.uint8), np.ones((5, 5), np.uint8))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(grown, connectivity=8)
    wide = [part for part in range(1, count) if facts[part, cv2.CC_STAT_WIDTH] >= WIDE * high.shape[1]]
    return np.isin(labels, wide)


def blocks(drawn: Mask, reach: int) -> Mask:
    """Letters and icons as filled boxes of neighbours; curves and long lines as they are.

    Args:
        drawn: ``(H, W)``.
        reach: pixels between letters of one word.
    """
    kernel = np.ones((reach, 2 * reach + 1), np.uint8)
    closed = cv2.morphologyEx(drawn.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    result = drawn.copy()
    for part in range(1, count):
        x, y, width, height, area = (int(value) for value in facts[part])
        if area >= LETTERS * width * height:
            result[y : y + height, x : x + width] = True
        else:
            result |= labels == part
    return result
