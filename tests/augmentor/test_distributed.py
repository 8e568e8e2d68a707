"""Two ranks of a distributed run (gloo): choices and counts are those of one process; no clip is served twice."""

import torch
import torch.distributed as dist
from fakes import live as live_fakes
from fakes.echo import FakeEcho, make_clip
from torch.utils.data import DataLoader, DistributedSampler

from echo_augment.augmentor import InMemoryClips, LiveClips, SyntheticAugment
from echo_augment.augmentor.devices import process_rank

ITEMS, RANKS = 24, 2
CACHED = InMemoryClips(make_clip(seed) for seed in range(10))
SMALL = {"slots": 8, "shape": (16, 16, 16), "start_method": "fork", "nice": 0, "max_reuse": 1, "on_empty": "wait"}


def wrapped(source):
    return SyntheticAugment(FakeEcho(n=ITEMS, target_type="Filename"), source, p=0.5, seed=2)


def own_lines():
    """Each rank plans for itself, as `LiveClips(pipeline, donors)` does."""
    from echo_augment.augmentor.sources.recipe import Pairing

    class Donors:
        motion_donors, appearance_donors = {"a": 50.0, "b": 60.0}, ["a", "b", "c"]
        sampler, fingerprint = "", "live1"

    pairs = Pairing(0, process_rank()).lines(Donors)
    return [next(pairs) for _ in range(30)]


def serve(rank, store, shared, out):
    """A rank: two epochs of its part of the items, from cached clips, a shared ring, and a ring of its own."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=RANKS)
    result = {}
    with LiveClips(live_fakes.fast, own_lines(), **SMALL) as own:
        for kind, source in (("cached", CACHED), ("shared", shared), ("own", own)):
            train = wrapped(source)
            sampler = DistributedSampler(train, seed=3)
            loader = DataLoader(
                train,
                batch_size=4,
                sampler=sampler,
                num_workers=1,
                multiprocessing_context="fork",
                persistent_workers=True,
            )
            for epoch in range(2):
                train.set_epoch(epoch)
                sampler.set_epoch(epoch)
                names = [name for _, batch in loader for name in batch]
                mine = (list(sampler), names, train.stats())
                everyone = [None] * RANKS
                dist.all_gather_object(everyone, mine)
                result[kind, epoch] = everyone
            del loader
        dist.barrier()
    dist.destroy_process_group()
    if rank == 0:
        out.put(result)


def test_two_ranks_choose_as_one_process_and_counts_add_up(tmp_path):
    context = torch.multiprocessing.get_context("fork")
    out = context.Queue()
    with LiveClips(live_fakes.fast, live_fakes.LINES, **SMALL) as shared:
        ranks = [context.Process(target=serve, args=(rank, tmp_path / "store", shared, out)) for rank in range(RANKS)]
        for process in ranks:
            process.start()
        result = out.get(timeout=240)
        for process in ranks:
            process.join(60)
            assert process.exitcode == 0
    alone = wrapped(CACHED)
    fresh = {"shared": [], "own": []}
    for (kind, epoch), parts in result.items():
        alone.set_epoch(epoch)
        served = {index: name for indices, names, _ in parts for index, name in zip(indices, names, strict=True)}
        assert sorted(served) == list(range(ITEMS)) and all(len(indices) == ITEMS // RANKS for indices, *_ in parts)
        made = "cached" if kind == "cached" else "fresh"
        total = {name: sum(counts[name] for *_, counts in parts) for name in ("real", "cached", "fresh", "fallback")}
        assert total == {"real": 12, "cached": 0, "fresh": 0, "fallback": 0, made: 12}
        for index, name in served.items():
            if kind == "cached" or not alone.is_synthetic(index):
                assert name == alone[index][1]
            else:
                fresh[kind].append(name)
    for names in fresh.values():
        assert len(names) == 24 == len(set(names)), "no clip is served twice, by whichever rank"
