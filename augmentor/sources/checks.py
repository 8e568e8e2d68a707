"""Small things every source needs."""

from collections.abc import Iterable

from echo_augment.cache import Provenance


def checked_index(index: int, length: int) -> int:
    """``index`` counted from the front.

    Raises:
        IndexError: it lies outside, so that plain iteration ends.
    """
    place = int(index)
    if not -length <= place < length:
        raise IndexError(f"clip {place} of {length}")
    return place % length


def donor_names(provenances: Iterable[Provenance | None]) -> frozenset[str]:
    """Names of all motion and appearance donors; clips without provenance have none."""
    known = [provenance for provenance in provenances if provenance is not None]
    return frozenset({name for item in known for name in (item.motion_donor, item.appearance_donor)} - {""})
