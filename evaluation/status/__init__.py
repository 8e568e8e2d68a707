"""The job ``status``: how far a run is, from its folder alone; nothing is written."""
