"""A data set of EchoNet-Dynamic's size, splits, lengths and frame rates, of a few phantoms whose films are cut anew.

Rendering 10,030 phantoms takes hours. Here some are filmed, a film of each in four lights and ways round, and every
video is the coded frames of one film in another order: from another start, in its own frame rate, there and back if it
is longer. What stands in the tables is true of the film. For sizes and times alone: they are not different patients.

``python -m echo_augment.evaluation.studies.true_size_data FOLDER VIDEOS`` writes it; the same command goes on.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from echo_augment.augmentor.data.phantom import render, sample_phantom
from echo_augment.augmentor.data.phantom.patients import draw_recording
from echo_augment.augmentor.data.phantom.writing import IMAGE_SIZE, label_phantom, mapper
from echo_augment.augmentor.data.video import write_video
from echo_augment.cache.arguments import check_whole
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path, write_json
from echo_augment.cache.system.progress import follow

SPLITS = {"TRAIN": 7465, "VAL": 1288, "TEST": 1277}  # EchoNet-Dynamic's
VIDEOS = sum(SPLITS.values())
LONGEST, SHORTEST = 1002, 28  # frames; the first two videos of each split
FILM, FPS = 160, 50.0  # frames of a film, and of its second
VIDEOS_A_PHANTOM = 156
WAYS = ((1.0, False), (0.8, True), (1.15, False), (1.0, True))  # brightness, and whether it is mirrored
QUANTISER = 5  # films of speckle alone would make videos larger than EchoNet-Dynamic's
SEEDS = 77_000_000


@dataclass(frozen=True, slots=True)
class Video:
    """One video of the set.

    Attributes:
        number: in the set.
        split: ``TRAIN``, ``VAL`` or ``TEST``.
        film: number of its film; videos of two splits have none in common.
        frames: its length.
        fps: frames per second.
    """

    number: int
    split: str
    film: int
    frames: int
    fps: float

    @property
    def name(self) -> str:
        """Its name, as long as EchoNet-Dynamic's."""
        return f"0X{self.number:014d}"

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """Which frames of the film it shows, ``(frames,)``: at its own rate from a random start, there and back."""
        start = int(np.random.default_rng([SEEDS, self.number]).integers(FILM))
        places = np.round(start + np.arange(self.frames) * FPS / self.fps).astype(np.intp) % (2 * FILM - 2)
        return np.where(places < FILM, places, 2 * FILM - 2 - places)


def split_sizes(videos: int) -> dict[str, int]:
    """Return how many videos are in each split, in EchoNet-Dynamic's shares."""
    held_out = {split: max(2, round(videos * SPLITS[split] / VIDEOS)) for split in ("VAL", "TEST")}
    return {"TRAIN": videos - sum(held_out.values())} | held_out


def plan_videos(videos: int) -> list[Video]:
    """Return the videos of a set of so many."""
    found: list[Video] = []
    first_film = 0
    for split, count in split_sizes(videos).items():
        films = len(WAYS) * max(1, round(count / VIDEOS_A_PHANTOM))
        for place in range(count):
            number = len(found)
            frames, fps = draw_recording(np.random.default_rng([SEEDS + number, 6]))
            if place < 2:
                frames, fps = (LONGEST, SHORTEST)[place], FPS
            found.append(Video(number, split, first_film + place % films, frames, fps))
        first_film += films
    return found


def film_path(root: Path, film: int) -> Path:
    """Return the file of a film."""
    return root / "films" / f"{film:05d}.avi"


def write_films(number: int, root: Path) -> None:
    """Film one phantom in all ways; its labels go beside the films, last."""
    labels = film_path(root, number * len(WAYS)).with_suffix(".json")
    if labels.exists():
        return
    phantom = sample_phantom(SEEDS + number)
    film = render(phantom.motion, phantom.appearance, num_frames=FILM, fps=FPS).frames
    for way, (brightness, mirrored) in enumerate(WAYS):
        shown = np.clip(film * brightness, 0, 255).astype(np.uint8)
        shown = shown[:, :, ::-1] if mirrored else shown
        write_video(film_path(root, number * len(WAYS) + way), shown, FPS, quantiser=QUANTISER)
    found = label_phantom(phantom, FILM, FPS)
    numbers = {"ef": found.ef, "edv": found.edv, "esv": found.esv, "ed": found.ed_frame, "es": found.es_frame}
    write_json(labels, {**numbers, "tracings": found.tracings.tolist()})


def recut(film: Path, orders: Sequence[tuple[Path, npt.NDArray[np.intp], float]]) -> None:
    """Write videos that show a film's coded frames in other orders and rates, unless they are there."""
    with av.open(str(film)) as source:
        stream = source.streams.video[0]
        packets = [bytes(packet) for packet in source.demux(stream) if packet.size]
        for path, order, fps in orders:
            if path.exists():
                continue
            with (
                atomic_path(path) as temporary,
                av.open(str(temporary), "w", format="avi", options={"fflags": "+bitexact"}) as target,
            ):
                rate = Fraction(fps).limit_denominator(1000)
                copy = target.add_stream("mjpeg", rate=rate)
                copy.width, copy.height, copy.pix_fmt = IMAGE_SIZE, IMAGE_SIZE, "yuvj420p"
                for time, place in enumerate(order):
                    packet = av.Packet(packets[place])
                    packet.stream, packet.time_base = copy, 1 / rate
                    packet.pts = packet.dts = time
                    packet.is_keyframe = True
                    target.mux(packet)


def write_videos(videos: Sequence[Video], root: Path) -> int:
    """Write the videos of one film; return how many."""
    folder = root / "Videos"
    recut(
        film_path(root, videos[0].film),
        [(folder / f"{video.name}.avi", video.order, video.fps) for video in videos],
    )
    return len(videos)


def traced_frames(video: Video, ed: int, es: int) -> tuple[int, int]:
    """Return where a video is nearest to the ED and the ES frame of its film; two different places."""
    order = video.order
    first, second = int(np.abs(order - ed).argmin()), int(np.abs(order - es).argmin())
    return first, second if second != first else (first + 1) % video.frames


def table_rows(videos: Sequence[Video], root: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the row of each video, and the rows of its tracings."""
    labels = {int(path.stem): json.loads(path.read_text(encoding="utf-8")) for path in (root / "films").glob("*.json")}
    for video in videos:
        film = labels[video.film - video.film % len(WAYS)]
        mirrored = WAYS[video.film % len(WAYS)][1]
        numbers = [f"{film[key]:.8f}" for key in ("ef", "esv", "edv")]
        row = [video.name, *numbers, f"{IMAGE_SIZE}", f"{IMAGE_SIZE}", f"{video.fps:g}", f"{video.frames}", video.split]
        tracings = np.array(film["tracings"])
        if mirrored:
            tracings[..., [0, 2]] = IMAGE_SIZE - 1 - tracings[..., [0, 2]]
        ed, es = traced_frames(video, film["ed"], film["es"])
        yield (
            row,
            [
                [f"{video.name}.avi", *(f"{value:.5g}" for value in points), f"{frame}"]
                for frame, tracing in ((es, tracings[1]), (ed, tracings[0]))
                for points in tracing
            ],
        )


def write_set(root: Path, count: int) -> None:
    """Write the set whole; ``FileList.csv`` comes last. Kill it at any moment and call it again: it goes on."""
    check_whole("videos", count, 12)
    videos = plan_videos(count)
    if (root / "FileList.csv").exists():
        return
    (root / "Videos").mkdir(parents=True, exist_ok=True)
    films = 1 + max(video.film for video in videos)
    with mapper(None, count) as spread:
        phantoms = range(-(-films // len(WAYS)))  # not all films of the last one need be used
        made = spread(partial(write_films, root=root), phantoms)
        for _ in follow(made, "films", unit="phantom", total=len(phantoms)):
            pass
        of_film: dict[int, list[Video]] = {}
        for video in videos:
            of_film.setdefault(video.film, []).append(video)
        cut = spread(partial(write_videos, root=root), of_film.values())
        for _ in follow(cut, "videos", unit="film", total=len(of_film)):
            pass
    lines, traced = io.StringIO(), io.StringIO()
    table, tracings = (csv.writer(text, lineterminator="\n") for text in (lines, traced))
    table.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
    tracings.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
    for row, traces in table_rows(videos, root):
        table.writerow(row)
        tracings.writerows(traces)
    for name, text in (("VolumeTracings.csv", traced), ("FileList.csv", lines)):
        with atomic_path(root / name) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Do ``python -m echo_augment.evaluation.studies.true_size_data FOLDER VIDEOS``; return the exit code."""
    if len(arguments) != 2 or not arguments[1].isdecimal():
        print("usage: python -m echo_augment.evaluation.studies.true_size_data FOLDER VIDEOS", file=sys.stderr)
        return 2
    try:
        write_set(Path(arguments[0]), int(arguments[1]))
    except (EchoAugmentError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
