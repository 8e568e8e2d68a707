"""Floor 1: the clip record, the clip store and the fill plan. Imports nothing of the other floors."""

from .errors import EchoAugmentError
from .plan_line import PlanLine
from .record import EchoClip, Provenance
from .store import ClipStore
from .writer import StoreWriter

__all__ = ["ClipStore", "EchoAugmentError", "EchoClip", "PlanLine", "Provenance", "StoreWriter"]
