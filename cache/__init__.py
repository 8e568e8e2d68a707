"""Floor 1: the clip record, the clip store and the fill plan. Imports nothing of the other floors."""

from .care import Damage, info, repair, verify
from .errors import EchoAugmentError
from .export import export_echonet
from .export_webdataset import export_webdataset
from .fill import fill
from .fill_summary import FillSummary
from .merge import merge
from .plan import Plan, make_plan
from .plan_line import PlanLine
from .record import EchoClip, Provenance
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
