"""Fill a cache from a plan: it can be resumed, gates judge every clip, and sealed clips are never lost."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .clip import EchoClip
from .errors import EchoAugmentError
from .gates import ClipGate, Gate, as_gates, judge
from .generator import Generator, expect
from .manifest import list_shards, open_manifest
from .plan import Plan, PlanLine
from .rejections import Rejections, count_reasons
from .results import FillSummary
from .system.behind import Behind
from .system.limits import cannot_write
from .system.locks import hold
from .system.progress import Progress, duration
from .system.signals import SafeStop
from .writer import StoreWriter, clear_leavings

PLAN = "plan.jsonl"
HOPELESS = 10
AHEAD = 2  # batches whose donors are read beside the present one


def fill(
    plan: Plan,
    generate: Generator,
    folder: str | Path,
    *,
    batch: int = 8,
    shard_clips: int = 512,
    seal_seconds: float = 300.0,
    compression: str = "lz4",
    round_frames: int = 1,
    gates: Sequence[Gate | ClipGate] = (),
    rank: int = 0,
    world: int = 1,
    patience: float = 0.0,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> FillSummary:
    """Make the clips that the plan wants and the cache lacks. Run it again at any time: it goes on where it stopped.

    A batch is judged, compressed and written beside the making of the next one, whose donors are read still earlier.

    Args:
        plan: the whole plan. It is kept as ``plan.jsonl`` in the folder, which accepts no other plan then.
        generate: makes the clips of some lines, in their order, with the lines' ids. An ``EchoAugmentError`` skips a
            line (after its batch was tried line by line), counts it, and uses a reserve line; any other error ends the
            fill, after sealing.
        folder: folder of the cache.
        batch: number of lines given to ``generate`` at a time.
        shard_clips: highest number of clips in a shard.
        seal_seconds: age at which clips are sealed; a ``kill -9`` loses no more than that.
        compression: ``"lz4"``, ``"zstd"``, ``"gzip"`` or ``"none"``.
        round_frames: clips go to shards whose length is the next multiple of this, see `StoreWriter`.
        gates: functions that get line and clip and return None, or why the clip is rejected (``"label: teacher reads
            61"``; the part before the colon is counted); or `echo_augment.cache.gates.Gate` objects, which get a whole
            batch. A rejected clip is recorded, never tried again, and replaced from the plan's reserve. An error of a
            gate ends the fill, after sealing.
        rank: number of this process among ``world``; each takes lines of its own.
        world: number of processes that fill this folder together; the same at every restart.
        patience: seconds to wait for another process that seems to fill this share: one that was killed on another
            machine still seems to for three minutes.
        progress: show how far the fill is.
        say: called with the estimate of time and size, before most of the work starts.

    Returns:
        What was made, rejected and sealed.

    Raises:
        EchoAugmentError: another fill holds the folder; it belongs to another generator or plan; no line can be made;
            the disk is full or read-only, or its file system has no locks.
        KeyboardInterrupt: on Ctrl-C, SIGTERM, SIGUSR1 or SIGUSR2, after sealing.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from echo_augment.cache import make_plan
        >>> def generate(lines):
        ...     return [EchoClip(line.clip_id, np.zeros((4, 8, 8), np.uint8), fps=25) for line in lines]
        >>> plan = make_plan({"low": 30.0, "high": 65.0}, ["low", "high"], n=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     summary = fill(plan, generate, folder, progress=False)
        >>> summary.made, summary.complete
        (2, True)
    """
    folder = Path(folder)
    started = time.monotonic()
    try:
        with SafeStop() as stop, hold(folder, rank, world, patience):
            _check_folder(plan, folder)
            clear_leavings(folder)
            work = _Fill(plan, folder, rank, world, stop)
            writer = StoreWriter(
                folder,
                compression=compression,
                shard_clips=shard_clips,
                seal_seconds=seal_seconds,
                round_frames=round_frames,
                fingerprint=plan.fingerprint,
            )
            try:
                work.run(generate, writer, as_gates(gates), batch, progress, say)
            finally:
                with stop.shielded():
                    expect(generate, ())
                    work.finish(writer)
            return work.summary(time.monotonic() - started)
    except _GeneratorError as error:
        raise error.cause from None
    except OSError as error:
        raise cannot_write(f"the cache {folder}", error, kept="every sealed clip is kept") from error


Made = tuple[PlanLine, EchoClip | EchoAugmentError]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the lines of a batch, a clip or an error each, and the seconds that it took."""

    lines: list[Made]
    seconds: float


class _GeneratorError(Exception):
    """Carries an OSError of the generator or of a gate, to tell it from those of the cache."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause)
        self.cause = cause


class _Fill:
    """The state of one run of :func:`fill`."""

    def __init__(self, plan: Plan, folder: Path, rank: int, world: int, stop: SafeStop) -> None:
        self.plan, self.folder, self.stop = plan.share(rank, world), folder, stop
        self.rejections = Rejections(folder, rank=rank, world=world)
        self.refused_before = len(self.rejections.reasons)
        manifest = open_manifest(folder)
        own = {line.clip_id for line in self.plan.lines + self.plan.reserve}
        self.sealed = {name for name in (bytes(value).decode() for value in manifest.table["id"]) if name in own}
        self.before, self.made = len(self.sealed), 0
        self.behind: Behind[Outcome] | None = None
        self.unsure: list[tuple[str, str]] = []  # skips before the first clip: the generator may be broken

    def run(
        self,
        generator: Generator,
        writer: StoreWriter,
        gates: Sequence[Gate],
        batch: int,
        progress: bool,
        say: Callable[[str], None],
    ) -> None:
        wanted = len(self.plan.lines)
        with Progress("fill", wanted, unit="clip", done=self.before, show=progress) as bar:

            def keep(found: Outcome) -> None:
                first, since = self.made == 0, time.monotonic()
                pairs = self._sort(found.lines)
                reasons = self._judge(gates, pairs)
                seconds = found.seconds + time.monotonic() - since
                stored = self._store(pairs, reasons, writer)
                bar.update(stored, f"{len(self.rejections.reasons):,} rejected")
                if first and self.made:
                    self._estimate([clip for _, clip in pairs], seconds / len(found.lines), say)

            self.behind = Behind(keep)
            while todo := self.plan.remaining(self.sealed, set(self.rejections.reasons)):
                for at in range(0, len(todo), batch):
                    since = time.monotonic()
                    expect(generator, todo[at : at + (1 + AHEAD) * batch])
                    made = self._generate(generator, todo[at : at + batch])
                    self.behind.give(Outcome(made, time.monotonic() - since))
                self.behind.wait()

    def _generate(self, generator: Generator, lines: Sequence[PlanLine]) -> list[Made]:
        try:
            clips = list(generator(lines))
        except EchoAugmentError as error:
            if len(lines) > 1:
                return [one for line in lines for one in self._generate(generator, [line])]
            return [(lines[0], error)]
        except OSError as error:
            raise _GeneratorError(error) from error
        ids = [clip.clip_id for clip in clips]
        if ids != [line.clip_id for line in lines]:
            raise RuntimeError(f"the generator was asked for clips {[line.clip_id for line in lines]} and gave {ids}")
        return list(zip(lines, clips, strict=True))

    def _sort(self, made: Sequence[Made]) -> list[tuple[PlanLine, EchoClip]]:
        """Return lines with their clips; those without one are skipped."""
        pairs = []
        for line, found in made:
            if isinstance(found, EchoAugmentError):
                self._skip(line, found)
            else:
                pairs.append((line, found))
        return pairs

    def _skip(self, line: PlanLine, error: EchoAugmentError) -> None:
        self.unsure.append((line.clip_id, f"skipped: {error}"))
        if self.made + self.before:
            self._settle()
        elif len(self.unsure) >= min(HOPELESS, len(self.plan.lines)):
            raise EchoAugmentError(
                f"none of the first {len(self.unsure)} clips could be made; the last error: {error.message}",
                error.remedy,
            ) from error

    def _settle(self) -> None:
        for clip_id, reason in self.unsure:
            self.rejections.add(clip_id, reason)
        self.unsure = []

    def _judge(self, gates: Sequence[Gate], pairs: Sequence[tuple[PlanLine, EchoClip]]) -> list[str | None]:
        try:
            return judge(gates, pairs)
        except OSError as error:
            raise _GeneratorError(error) from error

    def _store(
        self, pairs: Sequence[tuple[PlanLine, EchoClip]], reasons: Sequence[str | None], writer: StoreWriter
    ) -> int:
        stored = 0
        for (line, clip), reason in zip(pairs, reasons, strict=True):
            if reason is not None:
                self.rejections.add(line.clip_id, reason)
                continue
            writer.add(clip)
            self.sealed.add(line.clip_id)
            stored += 1
        self.made += stored
        if stored and self.unsure:
            self._settle()
        return stored

    def _estimate(self, clips: Sequence[EchoClip], seconds: float, say: Callable[[str], None]) -> None:
        """Estimate the rest from the first batch and say it; the size is an upper bound, before compression."""
        left = len(self.plan.lines) - self.before - self.made
        if left == 0:
            return
        refused = len(self.rejections.reasons) - self.refused_before
        passing = self.made / (self.made + refused)
        raw = sum(clip.frames.nbytes + (clip.frames.size // 8 if clip.masks is not None else 0) for clip in clips)
        size = left * raw / len(clips)
        free = shutil.disk_usage(self.folder).free
        done = self.sealed | self.rejections.reasons.keys()
        untried = sum(line.clip_id not in done for line in self.plan.lines + self.plan.reserve)
        say(
            f"{self.before + self.made} of {len(self.plan.lines)} clips are there; the other {left} take about "
            f"{duration(left / passing * seconds)} and at most {size / 1e6:,.1f} MB ({free / 1e6:,.0f} MB are free)"
            + ("; the disk may be too small" if size > free else "")
            + (
                f"; {refused} of the first {self.made + refused} were refused: the reserve may run out, then this "
                "cache stays smaller; a larger reserve= needs a new folder"
                if passing * untried < left
                else ""
            )
        )

    def finish(self, writer: StoreWriter) -> None:
        """Store what was made, seal the open shards and sync everything to disk."""
        if self.behind is not None:
            self.behind.close()
        try:
            writer.seal()
        finally:
            writer.discard()
            self.rejections.close()
        open_manifest(self.folder)

    def summary(self, seconds: float) -> FillSummary:
        manifest = open_manifest(self.folder)
        own = {line.clip_id for line in self.plan.lines + self.plan.reserve}
        return FillSummary(
            folder=self.folder,
            wanted=len(self.plan.lines),
            sealed=sum(bytes(value).decode() in own for value in manifest.table["id"]),
            made=self.made,
            rejected=count_reasons({key: value for key, value in self.rejections.reasons.items() if key in own}),
            seconds=seconds,
            size=sum(manifest.sizes),
            fingerprint=self.plan.fingerprint,
        )


def _check_folder(plan: Plan, folder: Path) -> None:
    """Raise if the folder belongs to another generator or plan; write this plan to a new one."""
    path = folder / PLAN
    if list_shards(folder):
        theirs = open_manifest(folder).fingerprint
        if theirs != plan.fingerprint:
            raise EchoAugmentError(
                f"cache {folder} was made by generator {theirs!r}, this one is {plan.fingerprint!r}",
                "Fill another folder, or use the generator that the cache was made with",
            )
    if path.exists():
        other = Plan.load(path)
        if other.digest != plan.digest:
            before, now = dict(other.settings), dict(plan.settings)
            names = [name for name in before | now if before.get(name) != now.get(name)]
            differing = [f"{name}={now.get(name)!r}, was {before.get(name)!r}" for name in names]
            raise EchoAugmentError(
                f"cache {folder} is being filled from another plan ({'; '.join(differing) or 'of other donors'})",
                "Use the same settings to go on with it, or fill another folder; `cache action=merge` joins the two",
            )
    else:
        plan.save(path)
