"""Which weights of a training are kept: decided by errors on VAL, and by them alone."""

import math

from torch import Tensor

from echo_augment.cache.errors import EchoAugmentError

SMALLEST = "smallest"
RULES = (SMALLEST, "one_se")


def check_rule(rule: str) -> None:
    """Refuse a rule that there is none of.

    Raises:
        EchoAugmentError: naming it and those there are.
    """
    if rule not in RULES:
        raise EchoAugmentError(f"selection must be one of {', '.join(RULES)}, got {rule!r}")


def keep(rule: str, errors: Tensor, best: Tensor | None) -> tuple[bool, Tensor | None]:
    """Whether weights are kept in place of those kept before, and the errors of the best weights so far.

    Args:
        rule: ``smallest`` keeps the weights with the smallest mean error. ``one_se`` keeps the latest weights whose
            mean error is not larger than the smallest by more than one standard error of the difference over the
            hearts: the one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984), where the
            longer training is what is preferred if VAL cannot tell. With few VAL hearts the smallest of many errors is
            often that of a net which has hardly learned; with many the two rules agree.
        errors: of each VAL heart, ``(N,)``.
        best: errors of the weights with the smallest mean so far; None before the first ones.

    Raises:
        EchoAugmentError: there is no such rule.
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
