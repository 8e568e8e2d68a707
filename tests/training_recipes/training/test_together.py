"""Several processes that train together compute the gradient of the whole batch, as one process would."""

import subprocess
import sys

import pytest
import torch

from echo_augment.training_recipes.generator.reid import contrastive_loss
from echo_augment.training_recipes.training.together import mean_of_all, of_all, own_share, strata

WORKER = """
import sys, torch, torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
from echo_augment.training_recipes.common.ranks import Share
from echo_augment.training_recipes.generator.denoiser import frames_mean
from echo_augment.training_recipes.generator.reid import contrastive_loss
from echo_augment.training_recipes.training.fit import Objective
from echo_augment.training_recipes.training.together import own_share, strata

rank, store = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
assert own_share() == Share(rank, 2)
g = torch.Generator().manual_seed(0)
x, there = torch.randn(8, 2, 5, generator=g), torch.rand(8, 3, generator=g) > 0.4
torch.manual_seed(1)
net = nn.Linear(5, 3)

def loss(model, batch):
    pairs, mask = batch
    kept = frames_mean(model(pairs[:, 0]) ** 2, mask)
    return {"loss": contrastive_loss(model(pairs[:, 0]), model(pairs[:, 1])) + kept}

mine = own_share()
wrapped = DDP(Objective(net, loss))
wrapped((mine.of(x), mine.of(there)))["loss"].backward()
torch.manual_seed(5 + rank)
drawn = strata(4, torch.device("cpu"))
gathered = [torch.empty(4) for _ in range(2)]
dist.all_gather(gathered, drawn)
if rank == 0:
    torch.save({"grad": net.weight.grad, "strata": torch.cat(gathered)}, sys.argv[3])
dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, "-c", WORKER]
    workers = [
        subprocess.Popen([*command, str(rank), str(folder / "store"), str(folder / "found.pt")]) for rank in range(2)
    ]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    return torch.load(folder / "found.pt", weights_only=True)


def test_two_processes_contrast_every_video_with_every_other(found):
    generator = torch.Generator().manual_seed(0)
    x, there = torch.randn(8, 2, 5, generator=generator), torch.rand(8, 3, generator=generator) > 0.4
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        net = torch.nn.Linear(5, 3)
    kept = (net(x[:, 0]) ** 2 * there).sum() / there.sum()
    (contrastive_loss(net(x[:, 0]), net(x[:, 1])) + kept).backward()
    torch.testing.assert_close(found["grad"], net.weight.grad, atol=1e-6, rtol=1e-5)


def test_noise_levels_of_all_processes_lie_one_in_each_part(found):
    assert sorted((found["strata"] * 8).long().tolist()) == list(range(8))


def test_one_process_has_all():
    x = torch.randn(3, 2)
    assert own_share().world == 1 and of_all(x) is x and mean_of_all(x) is x
    assert (strata(5, torch.device("cpu")) * 5).long().tolist() == list(range(5))
