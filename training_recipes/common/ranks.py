"""Which of several processes this is: from the numbers given, or else from what started them.

``accelerate launch`` and ``torchrun`` say it in ``RANK`` and ``WORLD_SIZE``, ``srun`` in ``SLURM_PROCID``, and a Slurm
job array in the index of its task. An array of jobs that each launch several processes counts both.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch

from echo_augment.augmentor.devices import AUTO
from echo_augment.augmentor.devices import best_device as best_device
from echo_augment.augmentor.devices import choose_device as choose_device
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.locks import HEARTBEAT_SECONDS, STALE_SECONDS

REMEDY = "Give both, for instance rank=0 world=4, or leave both to the launcher: rank=auto world=auto"
LOOK_SECONDS = 0.2
Items = TypeVar("Items")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which process of a job this is.

    Attributes:
        rank: this process, ``0..world - 1``.
        world: processes that share the work.
        local: this process among those of its machine: chooses the device.
        launched: processes that one ``accelerate launch`` or ``torchrun`` started together, this one included; they
            can wait for each other (`meet`). 1 where there was no such launch.
        patience: seconds to wait for a share of the work that still seems to be held: a requeued job's predecessor
            may have been killed on another machine a moment ago.
    """

    rank: int = 0
    world: int = 1
    local: int = 0
    launched: int = 1
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """Which items of a batch one of several processes takes: every ``world``-th from ``rank`` on.

    All processes decide on the whole batch, by the same random numbers, and each does the work of its own items; so the
    items of a batch do not depend on the number of processes.

    >>> Share(1, 2).of([10, 11, 12, 13])
    [11, 13]
    """

    rank: int = 0
    world: int = 1

    def of(self, items: Items) -> Items:
        """Return this process's items of a sequence, an array or a tensor along its first dimension."""
        own: Items = items[self.rank :: self.world]  # type: ignore[index]
        return own

    def check(self, name: str, count: int) -> None:
        """Raise unless all processes get equally many of ``count`` items.

        Raises:
            EchoAugmentError: naming the setting and a number that can be shared.
        """
        if count % self.world:
            fits = -(-count // self.world) * self.world
            raise EchoAugmentError(
                f"{name}={count} cannot be shared equally by {self.world} processes", f"Give {name}={fits}"
            )

    def most(self, count: int, what: str) -> int:
        """Return the largest number up to ``count`` that all processes can share equally.

        Raises:
            EchoAugmentError: there are fewer than processes; ``what`` names them.
        """
        if count < self.world:
            raise EchoAugmentError(
                f"{count} {what} cannot be shared by {self.world} processes", "Launch fewer processes"
            )
        return count - count % self.world


ALONE = Share()


def find_ranks(environment: Mapping[str, str], rank: int | str = AUTO, world: int | str = AUTO) -> Ranks:
    """The place of this process; a pure function of its arguments.

    Numbers given win. Else it is the product of the Slurm array (``SLURM_ARRAY_TASK_ID``, ``_MIN``, ``_STEP``,
    ``_COUNT``), unless submitit made that array for a sweep, and of what runs inside a task of it: ``RANK`` and
    ``WORLD_SIZE``, or under srun ``SLURM_PROCID`` and ``SLURM_STEP_NUM_TASKS`` (not ``SLURM_NTASKS``, which is set
    without srun, too, where one process runs alone).

    Args:
        environment: usually ``os.environ``.
        rank: a number, or ``auto``.
        world: a number, or ``auto``.

    Raises:
        EchoAugmentError: only one of two numbers that belong together is known, or they do not fit each other.
    """
    inner, inner_world = _inside(environment)
    outer, outer_world = _array(environment) if AUTO in (rank, world) else (0, 1)
    found = (outer * inner_world + inner, outer_world * inner_world)
    if found[1] == 1 and (rank == AUTO) != (world == AUTO):
        raise EchoAugmentError(f"rank={rank} world={world}: nothing around this process says the other number", REMEDY)
    own, all_of_them = (
        value if given == AUTO else _number(name, given)
        for name, given, value in (("rank", rank, found[0]), ("world", world, found[1]))
    )
    if all_of_them < 1 or not 0 <= own < all_of_them:
        raise EchoAugmentError(f"rank must be in 0..world - 1, got rank={own} world={all_of_them}", REMEDY)
    local = next((environment[name] for name in ("LOCAL_RANK", "SLURM_LOCALID") if name in environment), "0")
    met = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True" and rank == AUTO
    again = any(environment.get(name, "0") != "0" for name in ("SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"))
    return Ranks(
        rank=own,
        world=all_of_them,
        local=_number("LOCAL_RANK", local),
        launched=inner_world if met else 1,
        patience=STALE_SECONDS + 2 * HEARTBEAT_SECONDS if again else 0.0,
    )


def _inside(environment: Mapping[str, str]) -> tuple[int, int]:
    for own, count in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
        if own in environment and count in environment:
            return _number(own, environment[own]), _number(count, environment[count])
    return 0, 1


def _array(environment: Mapping[str, str]) -> tuple[int, int]:
    if "SLURM_ARRAY_TASK_ID" not in environment or "SUBMITIT_EXECUTOR" in environment:
        return 0, 1
    task, first, step, count = (
        _number(name, environment.get(name, default))
        for name, default in (
            ("SLURM_ARRAY_TASK_ID", "0"),
            ("SLURM_ARRAY_TASK_MIN", "0"),
            ("SLURM_ARRAY_TASK_STEP", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "1"),
        )
    )
    place, odd = divmod(task - first, max(step, 1))
    if odd or not 0 <= place < count:
        raise EchoAugmentError(
            f"task {task} of a Slurm array of {count} that starts at {first}: the array has gaps, so its ranks are not "
            "known",
            "Use an array such as 0-3, or give rank= and world=",
        )
    return place, count


def _number(name: str, value: int | str) -> int:
    try:
        return int(value)
    except ValueError:
        raise EchoAugmentError(f"{name} must be a whole number, got {value!r}", REMEDY) from None


def meet(ranks: Ranks) -> None:
    """Say that this process is done; the first of a launch waits here for all the others.

    It waits without limit: they may have hours of work left, and where one fails, the launcher ends all.
    """
    if ranks.launched == 1:
        return
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = torch.distributed.TCPStore(address, port, is_master=False, timeout=timedelta(seconds=60))
    turn = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    names = [f"echo-augment/done/{turn}/{k}" for k in range(ranks.launched)]
    own = int(os.environ["RANK"])
    store.set(names[own], "1")
    while own == 0 and not store.check(names):
        time.sleep(LOOK_SECONDS)
