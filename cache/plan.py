"""The plan of a fill pairs motion donors with appearance donors before anything is generated."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arguments import check_choice, check_number, check_seed, check_whole
from .errors import EchoAugmentError
from .system.files import atomic_path


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One clip to generate. The same line and the same generator make the same clip.

    Attributes:
        clip_id: id of the clip, unique in the plan.
        motion_donor: name of the video that gives the motion and the label.
        appearance_donor: name of the video that gives the reference frame.
        seed: seed of the sampler's noise.
        sampler: kind and steps, for instance ``"ddim-8"``.
    """

    clip_id: str
    motion_donor: str
    appearance_donor: str
    seed: int
    sampler: str = ""


BALANCES = ("natural", "uniform")
PAIRS = ("others", "any", "self")
STRATUM = 5.0  # percent of EF


@dataclass(frozen=True, slots=True)
class Plan:
    """The lines to fill, and reserve lines that replace rejected ones.

    Attributes:
        lines: a line for each wanted clip.
        reserve: spare lines, used in order when a gate rejects a clip.
        fingerprint: fingerprint of the generator that the plan is for.
        settings: names and values of what the plan was made from.
    """

    lines: tuple[PlanLine, ...]
    reserve: tuple[PlanLine, ...] = ()
    fingerprint: str = ""
    settings: tuple[tuple[str, int | float | str], ...] = ()

    @property
    def digest(self) -> str:
        """Hash over everything in the plan."""
        return _digest(
            [astuple(line) for line in self.lines + self.reserve],
            len(self.lines),
            self.fingerprint,
            dict(self.settings),
        )

    def remaining(self, sealed: set[str] | frozenset[str], rejected: set[str] | frozenset[str]) -> list[PlanLine]:
        """Return the unfinished lines, in order; a reserve line takes the place of each rejected one.

        Args:
            sealed: ids of the clips in the cache.
            rejected: ids of the clips that were made and rejected; they are not tried again.
        """
        over = sealed | rejected
        todo = [line for line in self.lines if line.clip_id not in over]
        done = sum(line.clip_id in sealed for line in self.lines + self.reserve)
        spare = [line for line in self.reserve if line.clip_id not in over]
        return todo + spare[: max(0, len(self.lines) - done - len(todo))]

    def share(self, rank: int, world: int) -> "Plan":
        """Return the part of process ``rank`` of ``world``; the parts are disjoint and together are the plan.

        Raises:
            EchoAugmentError: a rank outside ``0..world - 1``.
        """
        if not 0 <= rank < world:
            raise EchoAugmentError(f"rank must be in 0..{world - 1}, got {rank}")
        if world == 1:
            return self
        return Plan(self.lines[rank::world], self.reserve[rank::world], self.fingerprint, self.settings)

    def save(self, path: Path) -> None:
        """Write the plan as JSON lines, atomically: a header, then one line a clip, the reserve last."""
        header = {"plan": 1, "n": len(self.lines), "fingerprint": self.fingerprint, "digest": self.digest}
        header["settings"] = dict(self.settings)
        with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(header, allow_nan=False) + "\n")
            file.writelines(json.dumps(asdict(line)) + "\n" for line in self.lines + self.reserve)

    @staticmethod
    def load(path: Path) -> "Plan":
        """Read a plan that :meth:`save` wrote.

        Raises:
            EchoAugmentError: the file is not a plan, or it was changed or damaged.
        """
        try:
            with Path(path).open(encoding="utf-8") as file:
                header = json.loads(file.readline())
                lines = tuple(PlanLine(**json.loads(line)) for line in file)
            n = int(header["n"])
            plan = Plan(lines[:n], lines[n:], str(header["fingerprint"]), tuple(header["settings"].items()))
            whole = header["digest"] == plan.digest and header["plan"] == 1
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        if not whole:
            raise EchoAugmentError(
                f"the plan {path} is damaged or of another version",
                "Delete it and run the fill again with the same settings: the same plan is made",
            )
        return plan


def make_plan(
    motion_donors: Mapping[str, float],
    appearance_donors: Sequence[str],
    n: int,
    *,
    seed: int = 0,
    balance: str = "natural",
    pairs: str = "others",
    reserve: float = 0.25,
    sampler: str = "",
    fingerprint: str = "",
) -> Plan:
    """Pair motion donors with appearance donors; a pure function of its arguments.

    With ``balance="natural"`` every motion donor is used equally often, so the clips' EF are spread as the donors' are;
    with ``"uniform"`` every stratum of 5 percent EF is, so rare low EF become as frequent as the others. Appearance
    donors are used evenly. No pair comes twice as long as there are enough videos: beyond ``M * (A - 1)`` lines the
    pairs come again with other seeds. With ``pairs="others"`` no video is paired with itself, but for a single one;
    with ``"any"`` a video is a partner like the others; with ``"self"`` its only one: a clip is then a video's own
    re-synthesis, which shows what codec, tempo and phase alone do. Lines are shuffled, so that an interrupted fill is a
    fair sample of the whole.

    Args:
        motion_donors: EF in percent by name of the video.
        appearance_donors: names of videos, each once.
        n: number of clips wanted.
        seed: seed of the pairing; also gives every line its own seed.
        balance: ``"natural"`` or ``"uniform"``.
        pairs: ``"others"``, ``"any"`` or ``"self"``.
        reserve: spare lines as a share of ``n``, for clips that a gate rejects.
        sampler: kind and steps, written into each line, for instance ``"ddim-8"``.
        fingerprint: fingerprint of the generator.

    Raises:
        EchoAugmentError: no donors, an EF that is no percentage, an argument out of range, or a motion donor that
            ``pairs="self"`` cannot pair with itself.

    Example:
        >>> plan = make_plan({"low": 30.0, "high": 65.0}, ["low", "high"], n=2, reserve=0)
        >>> sorted((line.motion_donor, line.appearance_donor) for line in plan.lines)
        [('high', 'low'), ('low', 'high')]
    """
    _check(motion_donors, appearance_donors, n, seed, balance, reserve)
    _check_pairs(motion_donors, appearance_donors, pairs)
    total = n + int(np.ceil(n * reserve))
    rng = np.random.default_rng([seed, n])
    names, references = sorted(motion_donors), sorted(appearance_donors)
    names = [names[k] for k in rng.permutation(len(names))]
    references = [references[k] for k in rng.permutation(len(references))]
    partners = np.array([len(references) - (name in references and pairs == "others") for name in names])
    if not partners.any():
        partners += 1  # a single video
    if pairs == "self":
        partners[:] = total
    strata = np.array([motion_donors[name] // STRATUM if balance == "uniform" else 0 for name in names])
    dealt: list[tuple[str, str]] = []
    while len(dealt) < total:  # one turn, unless there are fewer pairs than lines
        counts = share_out(strata, partners, min(total - len(dealt), int(partners.sum())))
        if pairs == "self":
            dealt += [(name, name) for name, count in zip(names, counts, strict=True) for _ in range(count)]
        else:
            dealt += _deal(names, references, counts, len(dealt), apart=pairs == "others")
    order = rng.permutation(total)
    seeds = rng.integers(0, 2**31 - 1, total)
    settings: dict[str, int | float | str] = {
        "n": n,
        "seed": seed,
        "balance": balance,
        "reserve": reserve,
        "sampler": sampler,
    }
    if pairs != "others":  # what came later: plans without it keep their lines and ids
        settings["pairs"] = pairs
    tag = _digest(sorted(motion_donors.items()), references, settings, fingerprint)[:8]
    lines = []
    for k in range(total):
        motion, appearance = dealt[order[k]]
        lines.append(PlanLine(f"{tag}-{k:07d}", motion, appearance, int(seeds[k]), sampler))
    return Plan(tuple(lines[:n]), tuple(lines[n:]), fingerprint, tuple(settings.items()))


def share_out(strata: npt.NDArray[np.float64], limits: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Return how often each donor is used: strata equally often, donors of a stratum equally often.

    No donor is used above its limit; what a stratum cannot take for that reason goes to the others.

    Args:
        strata: stratum of each donor, ``(M,)``.
        limits: highest number of uses of each donor, ``(M,)``.
        total: uses to share out; at most the sum of ``limits``.

    Returns:
        Uses of each donor, ``(M,)``; their sum is ``total``.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    rooms = np.bincount(codes, weights=limits).astype(np.int64)
    counts = np.zeros(len(limits), np.int64)
    for code, quota in enumerate(_level(rooms, total)):
        members = np.flatnonzero(codes == code)
        counts[members] = _level(limits[members], int(quota))
    return counts


def _level(limits: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Share ``total`` out evenly up to ``limits``, as water fills vessels; the rest goes to the first with room."""
    low, high = 0, int(limits.max(initial=0))
    while low < high:  # the highest level that needs no more than ``total``
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(limits, middle).sum() <= total else (low, middle - 1)
    counts = np.minimum(limits, low)
    counts[np.flatnonzero(limits > low)[: total - int(counts.sum())]] += 1
    return counts


def _deal(
    names: Sequence[str], references: Sequence[str], counts: npt.NDArray[np.int64], start: int, *, apart: bool
) -> list[tuple[str, str]]:
    """Give each motion donor the next ``count`` appearance donors in turn, so that all are used; itself not if
    ``apart``."""
    pairs, at = [], start % len(references)
    for name, count in zip(names, counts, strict=True):
        hand = [references[(at + k) % len(references)] for k in range(min(int(count) + 1, len(references)))]
        others = [other for other in hand if other != name or not apart] or hand
        pairs += [(name, other) for other in others[: int(count)]]
        at += int(count)
    return pairs


def _check(
    motion: Mapping[str, float], references: Sequence[str], n: int, seed: int, balance: str, reserve: float
) -> None:
    if not motion or not references:
        raise EchoAugmentError(
            f"a plan needs donors, got {len(motion)} of motion and {len(references)} of appearance",
            "Check the TRAIN split and its EF labels",
        )
    bad = [(name, ef) for name, ef in motion.items() if not 0 <= ef <= 100]
    if bad:
        raise EchoAugmentError(f"motion donor {bad[0][0]!r} has an EF of {bad[0][1]}; it must be in [0, 100] percent")
    twice = [name for name, times in Counter(references).items() if times > 1]
    if twice:
        raise EchoAugmentError(f"appearance donor {twice[0]!r} is listed twice")
    check_whole("n", n, 1)
    check_seed(seed)
    check_choice("balance", balance, BALANCES)
    check_number("reserve", reserve, 0, 100, unit="times n")


def _check_pairs(motion: Mapping[str, float], references: Sequence[str], pairs: str) -> None:
    check_choice("pairs", pairs, PAIRS)
    alone = sorted(set(motion) - set(references))
    if pairs == "self" and alone:
        raise EchoAugmentError(
            f"motion donor {alone[0]!r} is no appearance donor, so it cannot be paired with itself",
            'Give it as one, or take pairs="others"',
        )


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
