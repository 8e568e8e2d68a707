"""What is drawn over a sector: text, rulers and icons that stand still, and the line of an ECG that runs."""

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

STILL, BRIGHT, SHARP = 4, 32, 24  # grey levels that a letter changes by at most, has at least, and stands out by
CODED_STILL, CODED_SHARP = 0.4, (56, 96)  # through a lossy codec: share of its level; grey levels of letters, of dots
ON = 80  # grey levels that a running trace jumps by
LEVEL = 0.25  # share of its level that it changes by while it is there
STAYS = 0.08  # share of the frames that it stays
LETTERS = 0.3  # share of its box that a group of letters fills; a curve fills less
WIDE = 0.15  # share of the width that a running trace spans at least


def drawn_over(low: Frames, high: Frames) -> Mask:
    """Find text, rulers and icons: strokes that are bright and stand still while tissue moves.

    Letters come as whole blocks: blacked out one by one, they could still be read.

    Args:
        low: darkest value of each pixel over time ``(H, W)``.
        high: brightest value.

    Returns:
        ``(H, W)`` bool.
    """
    reach = stroke_reach(low)
    change = high - low
    out = stands_out(low, reach)
    exact = (low >= BRIGHT) & (out >= SHARP) & (change <= STILL)
    # Beside moving tissue a codec makes letters flicker, but their darkest moment still stands out sharply.
    sharp, calm = stands_out(low, 1 + reach // 2), change <= CODED_STILL * high
    letters = without_dots((sharp >= CODED_SHARP[0]) & calm, 2 * reach)
    still: Mask = exact | letters | ((sharp >= CODED_SHARP[1]) & calm)
    if not still.any():
        return still
    # The rim of a letter is half tissue and moves; what touches a still core belongs to it.
    return blocks(grown(still), reach)


def without_dots(mask: Mask, least: int) -> Mask:
    """Remove groups of fewer than ``least`` pixels from ``mask``: speckle that happens to stand still."""
    _, labels = cv2.connectedComponents(grown(mask).astype(np.uint8), connectivity=8)
    sizes = np.bincount(labels[mask], minlength=int(labels.max()) + 1)
    return np.asarray(mask & (sizes[labels] >= least), np.bool_)


def running_trace(frames: Frames, low: Frames, high: Frames) -> Mask:
    """Find a curve that is drawn while the video runs, such as an ECG: pixels jump to a level and keep it for a while.

    Args:
        frames: ``(T, H, W)``.
        low: darkest value of each pixel over time ``(H, W)``.
        high: brightest value.

    Returns:
        ``(H, W)`` bool.
    """
    trace = np.zeros(high.shape, np.bool_)
    reach = stroke_reach(high)
    ys, xs = np.nonzero((high - low >= ON) & (stands_out(high, reach) >= SHARP))
    if len(ys) < WIDE * high.shape[1]:
        return trace
    values = frames[:, ys, xs].astype(np.int16)
    there = values >= (1 - LEVEL) * high[ys, xs]
    switch = there[1:] != there[:-1]
    jumps = np.abs(np.diff(values, axis=0)) >= ON * 0.75
    switches, stays = switch.sum(axis=0), there.sum(axis=0) >= max(2, STAYS * len(frames))
    # Once on or off, or on and off again; and each time in one jump, which hardly an echo does.
    drawn = stays & (switches >= 1) & (switches <= 2) & ((jumps & switch).sum(axis=0) == switches)
    trace[ys[drawn], xs[drawn]] = True
    wider = grown(trace).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(wider, connectivity=8)
    depth = cv2.distanceTransform(wider, cv2.DIST_L2, 3)
    curves = [
        part
        for part in range(1, count)
        if facts[part, cv2.CC_STAT_WIDTH] >= WIDE * high.shape[1] and depth[labels == part].max() <= 3 + reach / 2
    ]
    return np.isin(labels, curves)


def stroke_reach(picture: Frames) -> int:
    """Return half the width in pixels of the thickest stroke of a letter in pictures of this size."""
    return max(2, int(min(picture.shape)) // 40)


def stands_out(picture: Frames, reach: int) -> npt.NDArray[np.int16]:
    """Return how much brighter each pixel is than its surroundings without strokes (top hat), in grey levels."""
    side = 2 * reach + 1
    opened = cv2.morphologyEx(picture, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return np.asarray(picture.astype(np.int16) - opened, np.int16)


def grown(mask: Mask) -> Mask:
    """Grow ``mask`` by two pixels."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)), np.bool_)


def blocks(drawn: Mask, reach: int) -> Mask:
    """Fill the boxes of neighbouring letters and icons; leave curves and long lines as they are.

    Args:
        drawn: strokes, ``(H, W)`` bool.
        reach: pixels between the lines of one block; letters of a word may be twice as far apart.
    """
    kernel = np.ones((reach | 1, 2 * reach + 1), np.uint8)  # odd: OpenCV's closing by an even one moves by a pixel
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
