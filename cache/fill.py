"""Filling a cache from a plan: resumable, gated, and never losing what is sealed."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from .clip import EchoClip
from .errors import EchoAugmentError
from .fill_summary import FillSummary
from .gates import ClipGate, Gate, as_gates, judge
from .generator import Generator
from .manifest import list_shards, open_manifest
from .plan import Plan, PlanLine
from .rejections import Rejections, count_reasons
from .system.locks import hold
from .system.signals import SafeStop
from .writer import StoreWriter, clear_leavings

PLAN = "plan.jsonl"
HOPELESS = 10


def fill(
    plan: Plan,
    generate: Generator,
    folder: str | Path,
    *,
    batch: int = 8,
    shard_clips: int = 512,
    seal_seconds: float = 300.0,
    compression: str = "lz4",
    gates: Sequence[Gate | ClipGate] = (),
    rank: int = 0,
    world: int = 1,
    patience: float = 0.0,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> FillSummary:
    """Generate what the plan wants and the cache lacks. Run it again after anything: it goes on from what is sealed.

    Args:
        plan: the whole plan. It is kept as ``plan.jsonl`` in the folder; another one is refused there.
        generate: makes the clips of some lines, in their order, with the lines' ids. An ``EchoAugmentError`` skips a
            line (its batch is tried again line by line), counts it and refills it; anything else ends the fill, after
            sealing.
        folder: of the cache.
        batch: lines given to ``generate`` at a time.
        shard_clips: clips in a shard at most.
        seal_seconds: clips are sealed when they are that old, so that a ``kill -9`` loses no more.
        compression: ``lz4``, ``zstd``, ``gzip`` or ``none``.
        gates: each gets line and clip and returns None, or why the clip is rejected (``"label: teacher reads 61"``; the
            part before the colon is what is counted); or it is a `echo_augment.cache.gates.Gate`, which gets a
            whole batch. A rejected clip is recorded, never retried, and refilled from the plan's reserve. An error of
            a gate ends the fill, after sealing.
        rank: which of ``world`` processes this is; each takes its own lines.
        world: processes that fill this folder together; the same number on every restart.
        patience: seconds to wait where another process seems to fill this share: one that was killed on another
            machine seems to for three minutes.
        progress: show a progress bar.
        say: gets the estimate, before the bulk of the work starts.

    Raises:
        EchoAugmentError: another fill holds the folder; it belongs to another generator or plan; no line can be made;
            the disk is full or read-only.
        KeyboardInterrupt: on Ctrl-C, SIGTERM, SIGUSR1 or SIGUSR2, after sealing what is whole.
    """
    folder = Path(folder)
    started = time.monotonic()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with SafeStop() as stop, hold(folder, rank, world, patience):
            _check_folder(plan, folder)
            clear_leavings(folder)
            work = _Fill(plan, folder, rank, world, stop)
            writer = StoreWriter(
                folder,
                compression=compression,
                shard_clips=shard_clips,
                seal_seconds=seal_seconds,
                fingerprint=plan.fingerprint,
            )
            try:
                work.run(generate, writer, as_gates(gates), batch, progress, say)
            finally:
                with stop.shielded():
                    work.finish(writer)
            return work.summary(time.monotonic() - started)
    except _GeneratorError as error:
        raise error.cause from None
    except OSError as error:
        raise EchoAugmentError(
            f"cannot write to the cache {folder}: {error}",
            "Make room or the folder writable, and run the same command: every sealed clip is kept",
        ) from error


class _GeneratorError(Exception):
    """An OSError of the generator or of a gate, kept apart from those of the cache."""

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
        self.unsure: list[tuple[str, str]] = []  # skips before the first success: the generator itself may be broken

    def run(
        self,
        generator: Generator,
        writer: StoreWriter,
        gates: Sequence[Gate],
        batch: int,
        progress: bool,
        say: Callable[[str], None],
    ) -> None:
        wanted, seconds = len(self.plan.lines), 0.0
        with tqdm(total=wanted, initial=self.before, unit="clip", desc="fill", disable=not progress) as bar:
            while todo := self.plan.remaining(self.sealed, set(self.rejections.reasons)):
                for at in range(0, len(todo), batch):
                    lines = todo[at : at + batch]
                    first, since = self.made == 0, time.monotonic()
                    pairs = self._generate(generator, lines)
                    reasons = self._judge(gates, pairs)
                    seconds = time.monotonic() - since
                    with self.stop.shielded():
                        bar.update(self._store(pairs, reasons, writer))
                    bar.set_postfix(rejected=len(self.rejections.reasons), refresh=False)
                    if first and self.made:
                        self._estimate([clip for _, clip in pairs], seconds / len(lines), say)

    def _generate(self, generator: Generator, lines: Sequence[PlanLine]) -> list[tuple[PlanLine, EchoClip]]:
        try:
            clips = list(generator(lines))
        except EchoAugmentError as error:
            if len(lines) > 1:
                return [pair for line in lines for pair in self._generate(generator, [line])]
            self._skip(lines[0], error)
            return []
        except OSError as error:
            raise _GeneratorError(error) from error
        ids = [clip.clip_id for clip in clips]
        if ids != [line.clip_id for line in lines]:
            raise RuntimeError(f"the generator was asked for clips {[line.clip_id for line in lines]} and gave {ids}")
        return list(zip(lines, clips, strict=True))

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
        """Say what the rest will take, from the first batch; the size is an upper bound, before compression."""
        left = len(self.plan.lines) - self.before - self.made
        if left == 0:
            return
        refused = len(self.rejections.reasons) - self.refused_before
        passing = self.made / (self.made + refused)
        raw = sum(clip.frames.nbytes + (clip.frames.size // 8 if clip.masks is not None else 0) for clip in clips)
        size = left * raw / len(clips)
        free = shutil.disk_usage(self.folder).free
        over = self.sealed | self.rejections.reasons.keys()
        untried = sum(line.clip_id not in over for line in self.plan.lines + self.plan.reserve)
        say(
            f"{self.before + self.made} of {len(self.plan.lines)} clips are there; the other {left} take about "
            f"{_minutes(left / passing * seconds)} and at most {size / 1e6:,.1f} MB ({free / 1e6:,.0f} MB are free)"
            + ("; the disk may be too small" if size > free else "")
            + (
                f"; {refused} of the first {self.made + refused} were refused: the reserve may run out, then this "
                "cache stays smaller; a larger reserve= needs a new folder"
                if passing * untried < left
                else ""
            )
        )

    def finish(self, writer: StoreWriter) -> None:
        """Seal what is whole and put everything on disk."""
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
    """Refuse a folder of another generator or plan; leave this plan in a new one."""
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
            raise EchoAugmentError(
                f"cache {folder} is being filled from another plan ({dict(other.settings)}, now {dict(plan.settings)})",
                "Use the same settings to go on with it, or fill another folder; `cache action=merge` joins the two",
            )
    else:
        plan.save(path)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
