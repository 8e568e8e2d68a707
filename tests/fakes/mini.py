"""Where the six real clips are, beside the checkout; tests that need them skip where they are not."""

from pathlib import Path

MINI = Path(__file__).resolve().parents[3] / "shared" / "echonet-mini"
