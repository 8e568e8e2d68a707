"""The job ``speed``: every figure of the speed tables, as ratios measured in one run."""
