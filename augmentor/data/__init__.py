"""Read, write and check datasets in EchoNet-Dynamic's layout."""

from typing import TYPE_CHECKING, Any

from .probe import VideoFacts, content_hash, probe_video
from .records import Problem, VideoInfo
from .same_videos import Leak, find_leaks, refuse_leaks
from .selection import Skipped
from .table import EchoTable, read_table
from .video import count_frames, open_video, read_frames, read_video, write_video

if TYPE_CHECKING:
    from .echonet import EchoNetDynamic
    from .layouts.video_table import VideoTable

__all__ = [
    "EchoNetDynamic",
    "EchoTable",
    "Leak",
    "Problem",
    "Skipped",
    "VideoFacts",
    "VideoInfo",
    "VideoTable",
    "content_hash",
    "count_frames",
    "find_leaks",
    "open_video",
    "probe_video",
    "read_frames",
    "read_table",
    "read_video",
    "refuse_leaks",
    "write_video",
]


def __getattr__(name: str) -> Any:
    """Import a dataset, and with it torch, on its first use: processes that only write videos start faster."""
    if name == "EchoNetDynamic":
        from .echonet import EchoNetDynamic

        return EchoNetDynamic
    if name == "VideoTable":
        from .layouts.video_table import VideoTable

        return VideoTable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
