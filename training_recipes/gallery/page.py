"""Write the gallery of a cache: a page that stands alone, with every clip's thumbnail in it."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypedDict

from echo_augment.cache import ClipStore, EchoAugmentError
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.clip import is_real
from echo_augment.cache.gates import read_gates
from echo_augment.cache.rejections import count_reasons
from echo_augment.cache.system.files import atomic_path
from echo_augment.cache.system.progress import follow

from .records import Fact, Known
from .strips import SIDES, choose_side, make_strip, span

PAGE = "gallery.html"
BESIDE = "clips"  # folder of the thumbnails that a page has beside it
PER_CHUNK = 24  # clips that the page unpacks together
ROOMY, LARGEST = 80e6, 100e6  # bytes: thumbnails shrink over the first, and leave the page over the second


@dataclass(frozen=True, slots=True)
class Gallery:
    """A gallery that was written.

    Attributes:
        path: of the page.
        clips: that it shows.
        rejected: clips that it names with the reason why they are not in the cache.
        thumbnail: pixels of a thumbnail's longer side.
        size: bytes of the page, with what lies beside it.
        beside: the thumbnails lie in the folder ``clips`` beside the page, because it would be too large with them.
    """

    path: Path
    clips: int
    rejected: int
    thumbnail: int
    size: int
    beside: bool

    def to_json(self) -> dict[str, str | int | bool]:
        """Return the fields as plain JSON."""
        return {**asdict(self), "path": str(self.path)}


def write_gallery(
    folder: str | Path, out: str | Path, *, thumbnail: int | None = None, progress: bool = False
) -> Gallery:
    """Write ``gallery.html`` of a cache: thumbnails that move, filters, provenance, and a list of clips to leave out.

    The page loads nothing from elsewhere and opens from a disk. It draws only what is on the screen, so that thousands
    of clips scroll. What the reader ticks is saved as ``exclude.txt`` or ``exclude.json``, which
    ``CachedClips(folder, exclude="exclude.txt")`` takes. A clip is shown by its first 1.6 seconds, in 16 frames.

    Args:
        folder: of the cache.
        out: folder of the page; made if it is missing.
        thumbnail: pixels of a thumbnail's longer side, 16 to 256; None for the largest of 112, 96, 80, 64 and 48 whose
            page stays under 80 MB. Over 100 MB the thumbnails go to the folder ``clips`` beside the page.
        progress: show a bar.

    Raises:
        EchoAugmentError: no such cache, an empty or damaged one.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from echo_augment.cache import EchoClip, StoreWriter
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with StoreWriter(folder) as writer:
        ...         writer.add(EchoClip("a", np.zeros((16, 112, 112), np.uint8), fps=25, ef=60))
        ...     page = write_gallery(folder, f"{folder}/page")
        >>> page.path.name, page.clips, page.thumbnail
        ('gallery.html', 1, 112)
    """
    store, out = ClipStore(folder), Path(out)
    if not len(store):
        raise EchoAugmentError(f"the cache {folder} has no clips to show", "Fill it first: echo-augment fill-cache")
    sides = SIDES if thumbnail is None else [check_whole("thumbnail", thumbnail, 16, 256)]
    side, expected = choose_side(store, ROOMY, sides)
    beside = expected > LARGEST
    known = Known.of(store)
    head, middle, tail = _template()
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    with atomic_path(out / PAGE) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(head + for_page(_data(store, known, beside)) + middle)
        for number, text in enumerate(_chunks(store, known, side, progress)):
            if beside:
                path = out / BESIDE / f"{number}.js"
                with atomic_path(path) as part:
                    part.write_text(f"galleryChunk({number},{text})", encoding="utf-8")
                written += path.stat().st_size
            else:
                file.write(f'<script type="application/json" id="chunk-{number}">{text}</script>\n')
        file.write(tail)
    return Gallery(out / PAGE, len(store), len(known.reasons), side, written + (out / PAGE).stat().st_size, beside)


def _chunks(store: ClipStore, known: Known, side: int, progress: bool) -> Iterator[str]:
    """Yield the thumbnails and facts of some clips after the other as JSON that may stand in a page."""
    for first in follow(range(0, len(store), PER_CHUNK), "gallery", unit="chunk", show=progress):
        places = range(first, min(first + PER_CHUNK, len(store)))
        strips = [base64.b64encode(make_strip(store, index, side)).decode() for index in places]
        facts = [known.facts(store, index) for index in places]
        yield for_page({"strips": strips, "about": facts})


def for_page(value: object) -> str:
    """Return JSON that can stand inside a script element: no text in it can end that element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _template() -> tuple[str, str, str]:
    """Return the page up to its data, from there to its chunks, and the end."""
    parts = files(__package__)
    page = parts.joinpath("gallery.html").read_text(encoding="utf-8")
    for name in ("css", "js"):
        page = page.replace(f"{{{{{name}}}}}", parts.joinpath(f"gallery.{name}").read_text(encoding="utf-8"))
    head, rest = page.split("{{data}}")
    middle, tail = rest.split("{{chunks}}")
    return head, middle, tail


class Data(TypedDict):
    """What the page's script gets; `Card.to_json` has the fields of a clip."""

    name: str
    folder: str
    about: str
    gates: list[str]
    rejected: dict[str, int]
    stored: int
    digest: str
    per: int
    beside: bool
    clips: list[list[Fact]]


def _data(store: ClipStore, known: Known, beside: bool) -> Data:
    """Return everything but the chunks."""
    stored = [store.lazy(index) for index in range(len(store))]
    cards = [known.card(clip, *span(clip)) for clip in stored] + known.rejected_cards()
    return {
        "name": Path(store.folder).resolve().name,
        "folder": str(store.folder),
        "about": _about(store),
        "gates": _gate_lines(store, known),
        "rejected": count_reasons(dict(known.reasons)),
        "stored": len(store),
        "digest": hashlib.sha256("\n".join([store.fingerprint, *store.ids]).encode()).hexdigest()[:16],
        "per": PER_CHUNK,
        "beside": beside,
        "clips": [card.to_json() for card in cards],
    }


def _about(store: ClipStore) -> str:
    """Return the line under the title."""
    ef = store.ef[store.ef == store.ef]
    spread = f", EF {ef.min():.0f} to {ef.max():.0f} %, mean {ef.mean():.0f} %" if len(ef) else ", no EF"
    kind = "real" if is_real(store.fingerprint) else "synthetic"
    return f"{len(store):,} {kind} clips{spread}; fingerprint {store.fingerprint or 'unknown'}"


def _gate_lines(store: ClipStore, known: Known) -> list[str]:
    """Return what the gates were and what they rejected, the sum first; nothing for real clips."""
    if is_real(store.fingerprint):
        return []
    told = read_gates(Path(store.folder))
    lines = [f"{name} gate: {json.dumps(setting)}" for name, setting in told.gates.items() if setting]
    lines += [f"limits of the {name} gate: {json.dumps(limit)}" for name, limit in (told.limits or {}).items()]
    counts = count_reasons(dict(known.reasons))
    lines += [f"rejected by {kind}: {count:,}" for kind, count in counts.items()]
    rejected = sum(counts.values())
    return [f"Gates: {len(store):,} clips passed, {rejected:,} were rejected and are not stored", *lines]
