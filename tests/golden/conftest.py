"""The helpers of this folder are plain modules beside the tests, and ``record.py`` runs as a script."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
