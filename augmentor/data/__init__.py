"""Data sets in EchoNet-Dynamic's layout: reading, writing and checking them."""

from .video import count_frames, read_frames, read_video, write_video

__all__ = ["count_frames", "read_frames", "read_video", "write_video"]
