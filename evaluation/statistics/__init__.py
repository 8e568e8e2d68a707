"""Intervals, p-values and figures of arms that were trained with several seeds and tested on the same videos."""
