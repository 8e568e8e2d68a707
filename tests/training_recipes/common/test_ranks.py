import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.cli import is_share, sweep_first
from echo_augment.training_recipes.common.ranks import Ranks, Share, choose_device, find_ranks

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "1",
    "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0",
}  # fmt: skip
ARRAY = {
    "SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_MIN": "4", "SLURM_ARRAY_TASK_STEP": "1",
    "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0",
}  # fmt: skip
SRUN = {"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1"}


@pytest.mark.parametrize(
    ("environment", "rank", "world", "expected"),
    [
        ({}, "auto", "auto", Ranks()),
        ({}, 2, 4, Ranks(2, 4)),
        (TORCHRUN, "auto", "auto", Ranks(5, 8, 1, launched=8)),
        (TORCHRUN, 0, 1, Ranks(0, 1, 1)),
        (TORCHRUN, "auto", 8, Ranks(5, 8, 1, launched=8)),
        (ARRAY, "auto", "auto", Ranks(2, 4)),
        (ARRAY | {"SLURM_ARRAY_TASK_STEP": "2"}, "auto", "auto", Ranks(1, 4)),
        (ARRAY, 1, 2, Ranks(1, 2)),
        (SRUN, "auto", "auto", Ranks(3, 4, 1)),
        (ARRAY | SRUN, "auto", "auto", Ranks(2 * 4 + 3, 16, 1)),
        (ARRAY | TORCHRUN, "auto", "auto", Ranks(2 * 8 + 5, 32, 1, launched=8)),
        # sbatch --ntasks=4 without srun is one process, and a sweep's array is not a fill's
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "auto", "auto", Ranks()),
        (ARRAY | {"SUBMITIT_EXECUTOR": "slurm"}, "auto", "auto", Ranks()),
        (ARRAY | {"SUBMITIT_EXECUTOR": "slurm"}, 3, 4, Ranks(3, 4)),
    ],
)
def test_the_place_of_a_process(environment, rank, world, expected):
    assert find_ranks(environment, rank, world) == expected


def test_the_tasks_of_an_array_of_launches_are_all_different():
    found = [
        find_ranks(ARRAY | TORCHRUN | {"SLURM_ARRAY_TASK_ID": str(task), "RANK": str(rank)})
        for task in range(4, 8)
        for rank in range(8)
    ]
    assert [one.rank for one in found] == list(range(32)) and {one.world for one in found} == {32}


@pytest.mark.parametrize("name", ["SLURM_RESTART_COUNT", "TORCHELASTIC_RESTART_COUNT"])
def test_only_a_process_that_was_started_again_waits_for_its_predecessors_lock(name):
    assert find_ranks(ARRAY | {name: "1"}).patience > 180 > find_ranks(ARRAY | {name: "0"}).patience == 0


@pytest.mark.parametrize(
    ("environment", "rank", "world", "message"),
    [
        ({}, 1, "auto", "rank=1 world=auto: nothing around this process says the other"),
        ({}, "auto", 4, "rank=auto world=4: nothing around"),
        ({}, 4, 4, "got rank=4 world=4"),
        ({}, 0, 0, "got rank=0 world=0"),
        (TORCHRUN, "auto", 4, "got rank=5 world=4"),
        ({}, "one", 4, "rank must be a whole number, got 'one'"),
        (TORCHRUN | {"RANK": "x"}, "auto", "auto", "RANK must be a whole number, got 'x'"),
        (ARRAY | {"SLURM_ARRAY_TASK_ID": "9"}, "auto", "auto", "task 9 of a Slurm array of 4 .* has gaps"),
        (ARRAY | {"SLURM_ARRAY_TASK_STEP": "4"}, "auto", "auto", "has gaps"),
    ],
)
def test_what_does_not_fit_is_refused(environment, rank, world, message):
    with pytest.raises(EchoAugmentError, match=message):
        find_ranks(environment, rank, world)


@pytest.mark.parametrize(
    ("name", "local", "cuda", "mps", "expected"),
    [
        ("auto", 0, 0, False, "cpu"),
        ("auto", 3, 0, True, "mps"),
        ("auto", 0, 1, False, "cuda"),
        ("auto", 3, 1, False, "cuda"),  # the scheduler shows each process its own GPU only
        ("auto", 3, 8, False, "cuda:3"),
        ("cuda", 9, 8, False, "cuda:1"),
        ("cuda:2", 5, 8, False, "cuda:2"),
        ("cpu", 1, 8, False, "cpu"),
    ],
)
def test_each_process_has_its_own_gpu(name, local, cuda, mps, expected):
    assert choose_device(name, local, cuda, mps) == expected


def test_a_sweep_over_ranks_shares_a_folder():
    assert is_share(["rank=3", "world=4"]) and is_share(["n=5", "+rank=0"])
    assert not is_share(["seed=1"]) and not is_share(["world=1", "ranking=3"])


def test_settings_may_stand_on_both_sides_of_the_flag_of_a_sweep():
    assert sweep_first(["n=5", "-m", "rank=0,1", "--help"]) == ["-m", "n=5", "rank=0,1", "--help"]
    assert sweep_first(["n=5", "rank=0"]) == ["n=5", "rank=0"]


def test_a_batch_that_processes_cannot_share_equally_is_refused_by_its_name():
    Share(1, 4).check("preset.mafe.batch", 16)
    with pytest.raises(EchoAugmentError, match=r"preset.mafe.batch=2 cannot be shared equally by 8 processes") as found:
        Share(0, 8).check("preset.mafe.batch", 2)
    assert "Give preset.mafe.batch=8" in str(found.value)
    assert Share(0, 3).most(7, "videos") == 6
    with pytest.raises(EchoAugmentError, match="2 videos cannot be shared by 3 processes"):
        Share(0, 3).most(2, "videos")
