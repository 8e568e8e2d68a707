"""What a loss needs where several processes train together: the whole batch's embeddings, counts and strata.

Each process computes the loss of its own items, and DDP averages the gradients. That is the gradient of the whole batch
only if no item's loss depends on another's; where it does, the functions here bring the others in.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ..common.ranks import Share


def own_share() -> Share:
    """Return this process's place among those that train together; alone outside of a launch."""
    if dist.is_available() and dist.is_initialized():
        return Share(dist.get_rank(), dist.get_world_size())
    return Share()


def of_all(own: Tensor) -> Tensor:
    """Return the rows of all processes ``(world * B, ...)``, one process after the other, with their gradients.

    Args:
        own: of this process, ``(B, ...)``; B is the same in all.

    >>> of_all(torch.ones(3, 2)).shape
    torch.Size([3, 2])
    """
    share = own_share()
    return own if share.world == 1 else _Gather.apply(own, share)


class _Gather(torch.autograd.Function):
    """All processes' rows forward; backward each row's gradient, summed over the losses that it had a part in."""

    @staticmethod
    def forward(context: Any, own: Tensor, share: Share) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(share.world)]
        dist.all_gather(parts, own.contiguous())
        context.share, context.rows = share, len(own)
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        whole = gradients[0].contiguous()
        dist.all_reduce(whole)
        first = context.share.rank * context.rows
        return whole[first : first + context.rows], None


def mean_of_all(value: Tensor) -> Tensor:
    """Return the mean over the processes of a number that has no gradient."""
    share = own_share()
    if share.world == 1:
        return value
    total = value.detach().float().clone()
    dist.all_reduce(total)
    return total / share.world


def strata(count: int, device: torch.device) -> Tensor:
    """Draw one number in each of ``count`` equal parts of [0, 1), times the processes: ``(count,)``.

    The parts of one process lie between those of the others, so that together they cover the whole batch.
    """
    share = own_share()
    places = share.rank + share.world * torch.arange(count, device=device)
    return (places + torch.rand(count, device=device)) / (count * share.world)
