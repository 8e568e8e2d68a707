"""The plan of a fill: which motion meets which appearance, decided before anything is generated."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import EchoAugmentError
from .system.files import atomic_path


@dataclass(frozen=True, slots=True)
class PlanLine:
    """What to generate. The same line and the same generator make the same clip.

    Attributes:
        clip_id: unique in the plan.
        motion_donor: gives the motion and the label.
        appearance_donor: gives the reference frame.
        seed: of the sampler's noise.
        sampler: for instance ``"ddim-8"``.
    """

    clip_id: str
    motion_donor: str
    appearance_donor: str
    seed: int
    sampler: str = ""


BALANCES = ("natural", "uniform")
STRATUM = 5.0  # percent of EF


@dataclass(frozen=True, slots=True)
class Plan:
    """Lines to fill, and lines in reserve that stand in for rejected ones.

    Attributes:
        lines: one for each clip that is wanted.
        reserve: taken in order when a gate rejects a clip.
        fingerprint: of the generator that the plan is for.
        settings: what it was made from, as plain JSON.
    """

    lines: tuple[PlanLine, ...]
    reserve: tuple[PlanLine, ...] = ()
    fingerprint: str = ""
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def digest(self) -> str:
        """Hash of everything in the plan."""
        return _digest(
            [astuple(line) for line in self.lines + self.reserve],
            len(self.lines),
            self.fingerprint,
            dict(self.settings),
        )

    def remaining(self, sealed: set[str] | frozenset[str], rejected: set[str] | frozenset[str]) -> list[PlanLine]:
        """The lines still to do, in order: the plan minus what is sealed, refilled from the reserve for what was
        rejected.

        Args:
            sealed: clip ids that are in the cache.
            rejected: clip ids that were generated and refused; not tried again.
        """
        over = sealed | rejected
        todo = [line for line in self.lines if line.clip_id not in over]
        done = sum(line.clip_id in sealed for line in self.lines + self.reserve)
        spare = [line for line in self.reserve if line.clip_id not in over]
        return todo + spare[: max(0, len(self.lines) - done - len(todo))]

    def share(self, rank: int, world: int) -> "Plan":
        """The part of one of ``world`` processes; the parts are disjoint and together are the plan.

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
            EchoAugmentError: it is not a plan, or it was changed or damaged.
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
    reserve: float = 0.25,
    sampler: str = "",
    fingerprint: str = "",
) -> Plan:
    """Pair motions with appearances; a pure function of its arguments.

    Every motion donor is used equally often (``balance="natural"``: the clips' EF are spread as the donors' are), or
    every stratum of 5 percent EF is (``"uniform"``: the rare low EF become as frequent as the others). Appearances are
    dealt out evenly. No pair comes twice, and no heart is paired with itself, as long as there are enough hearts:
    beyond ``M * (A - 1)`` lines the pairs come again with other seeds; a lone heart is paired with itself. Lines are
    shuffled, so that an interrupted fill is a fair sample of the whole.

    Args:
        motion_donors: EF in percent by clip name.
        appearance_donors: clip names; all different.
        n: clips wanted.
        seed: of the pairing; also gives every line its own seed.
        balance: ``natural`` or ``uniform``.
        reserve: spare lines as a share of ``n``, for clips that a gate rejects.
        sampler: written into each line, for instance ``"ddim-8"``.
        fingerprint: of the generator.

    Raises:
        EchoAugmentError: no donors, an EF that is no percentage, or an argument out of range.
    """
    _check(motion_donors, appearance_donors, n, balance, reserve)
    total = n + int(np.ceil(n * reserve))
    rng = np.random.default_rng([seed, n])
    names, looks = sorted(motion_donors), sorted(appearance_donors)
    names = [names[k] for k in rng.permutation(len(names))]
    looks = [looks[k] for k in rng.permutation(len(looks))]
    partners = np.array([len(looks) - (name in looks) for name in names])
    if not partners.any():
        partners += 1  # a lone heart
    strata = np.array([motion_donors[name] // STRATUM if balance == "uniform" else 0 for name in names])
    pairs: list[tuple[str, str]] = []
    while len(pairs) < total:  # one turn, unless there are fewer pairs than lines
        counts = share_out(strata, partners, min(total - len(pairs), int(partners.sum())))
        pairs += _deal(names, looks, counts, len(pairs))
    order = rng.permutation(total)
    seeds = rng.integers(0, 2**31 - 1, total)
    settings = {"n": n, "seed": seed, "balance": balance, "reserve": reserve, "sampler": sampler}
    tag = _digest(sorted(motion_donors.items()), looks, settings, fingerprint)[:8]
    lines = []
    for k in range(total):
        motion, look = pairs[order[k]]
        lines.append(PlanLine(f"{tag}-{k:07d}", motion, look, int(seeds[k]), sampler))
    return Plan(tuple(lines[:n]), tuple(lines[n:]), fingerprint, tuple(settings.items()))


def share_out(strata: npt.NDArray[np.float64], limits: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """How often each donor is used: strata equally often, donors inside a stratum equally often, none above its limit.

    What a stratum cannot take because all its donors are at their limits goes to the others.

    Args:
        strata: ``(M,)`` stratum of each donor.
        limits: ``(M,)`` uses at most.
        total: uses to share out; at most the sum of ``limits``.

    Returns:
        ``(M,)`` uses; their sum is ``total``.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    rooms = np.bincount(codes, weights=limits).astype(np.int64)
    counts = np.zeros(len(limits), np.int64)
    for code, quota in enumerate(_level(rooms, total)):
        members = np.flatnonzero(codes == code)
        counts[members] = _level(limits[members], int(quota))
    return counts


def _level(limits: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Fill vessels of sizes ``limits`` with ``total`` units to one level; the rest goes to the first with room."""
    low, high = 0, int(limits.max(initial=0))
    while low < high:  # the highest level that does not take more than there is
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(limits, middle).sum() <= total else (low, middle - 1)
    counts = np.minimum(limits, low)
    counts[np.flatnonzero(limits > low)[: total - int(counts.sum())]] += 1
    return counts


def _deal(
    names: Sequence[str], looks: Sequence[str], counts: npt.NDArray[np.int64], start: int
) -> list[tuple[str, str]]:
    """Give each name its next ``count`` looks from the circle, so that looks are used evenly and none meets itself."""
    pairs, at = [], start % len(looks)
    for name, count in zip(names, counts, strict=True):
        hand = [looks[(at + k) % len(looks)] for k in range(min(int(count) + 1, len(looks)))]
        others = [look for look in hand if look != name] or hand
        pairs += [(name, look) for look in others[: int(count)]]
        at += int(count)
    return pairs


def _check(motion: Mapping[str, float], looks: Sequence[str], n: int, balance: str, reserve: float) -> None:
    if not motion or not looks:
        raise EchoAugmentError(
            f"a plan needs donors, got {len(motion)} of motion and {len(looks)} of appearance",
            "Check the TRAIN split and its EF labels",
        )
    bad = [(name, ef) for name, ef in motion.items() if not 0 <= ef <= 100]
    if bad:
        raise EchoAugmentError(f"motion donor {bad[0][0]!r} has an EF of {bad[0][1]}; it must be in [0, 100] percent")
    twice = [name for name, times in Counter(looks).items() if times > 1]
    if twice:
        raise EchoAugmentError(f"appearance donor {twice[0]!r} is listed twice")
    if n < 1:
        raise EchoAugmentError(f"n must be 1 or more, got {n}")
    if balance not in BALANCES:
        raise EchoAugmentError(f"balance must be one of {', '.join(BALANCES)}, got {balance!r}")
    if not 0 <= reserve <= 100:
        raise EchoAugmentError(f"reserve must be in [0, 100] times n, got {reserve}")


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
