"""Floor 1: the clip record, the clip store and the fill plan. Imports nothing of the other floors."""

from .clip import EchoClip, Provenance
from .errors import EchoAugmentError
from .export import export_echonet, export_webdataset
from .fill import fill
from .fill_summary import FillSummary
from .maintenance import Damage, info, repair, verify
from .merge import merge
from .plan import Plan, PlanLine, make_plan
from .store import ClipStore
from .writer import StoreWriter

__all__ = [
    "ClipStore",
    "Damage",
    "EchoAugmentError",
    "EchoClip",
    "FillSummary",
    "Plan",
    "PlanLine",
    "Provenance",
    "StoreWriter",
    "export_echonet",
    "export_webdataset",
    "fill",
    "info",
    "make_plan",
    "merge",
    "repair",
    "verify",
]
