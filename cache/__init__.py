"""Floor 1: what a clip is and how it is kept: clips, stores, plans, fills. Imports no other floor."""

from .clip import EchoClip, Provenance
from .errors import EchoAugmentError
from .export import export_echonet, export_webdataset
from .fill import fill
from .maintenance import info, repair, verify
from .merge import merge
from .plan import Plan, PlanLine, make_plan
from .results import Damage, FillSummary
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
