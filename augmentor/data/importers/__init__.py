"""DICOM, videos and CAMUS into a dataset in EchoNet-Dynamic's layout, without names."""

from .importing import Imported, ImportReport, import_clips, report_of
from .records import ImportPlan, Left

__all__ = ["ImportPlan", "ImportReport", "Imported", "Left", "import_clips", "report_of"]
