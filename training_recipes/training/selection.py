"""Which weights of a training are kept: decided by errors on VAL, and by them alone."""

import math

from torch import Tensor

from echo_augment.cache.arguments import check_choice

SMALLEST = "smallest"
RULES = (SMALLEST, "one_se")


def check_rule(rule: str) -> None:
    """Raise if ``rule`` is unknown.

    Raises:
        EchoAugmentError: with the rule and those that exist.
    """
    check_choice("selection", rule, RULES)


def keep(rule: str, errors: Tensor, best: Tensor | None) -> tuple[bool, Tensor | None]:
    """Return whether weights replace those kept before, and the errors of the best weights so far.

    Args:
        rule: ``smallest`` keeps the weights with the smallest mean error. ``one_se`` keeps the latest weights whose
            mean error is not larger than the smallest by more than one standard error of the difference over the
            videos: the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984), where the
            longer training is what is preferred if VAL cannot tell. With few VAL videos the smallest of many errors is
            often that of a net which has hardly learned; with many the two rules agree.
        errors: error of each VAL video, ``(N,)``.
        best: errors of the weights with the smallest mean so far; None before the first ones.

    Raises:
        EchoAugmentError: ``rule`` is unknown.

    >>> import torch
    >>> first, later = torch.tensor([4.0, 6.0, 5.0]), torch.tensor([5.0, 4.5, 5.6])
    >>> keep("smallest", later, best=first)[0], keep("one_se", later, best=first)[0]
    (False, True)
    """
    check_rule(rule)
    mean = float(errors.mean())
    if not math.isfinite(mean):
        return False, best
    if best is None or mean < float(best.mean()):
        return True, errors
    if rule == SMALLEST or len(errors) < 2:
        return False, best
    worse = errors - best
    return float(worse.mean()) <= float(worse.std() / math.sqrt(len(worse))), best
