"""Metrics as papers report them, FVD, FID, IS and LPIPS, by weights that the user has: nothing is downloaded."""
