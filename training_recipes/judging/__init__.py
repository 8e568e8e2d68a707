"""Judging generated clips: the EF reader, Fréchet distances, and re-enactment, which needs no labels."""
