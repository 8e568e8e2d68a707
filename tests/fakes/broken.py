"""Broken DICOM, NIfTI, video and table files, each by a number; read one by one, with time and memory taken."""

import io
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from echo_augment.augmentor.data.importers.identity import Hasher
from echo_augment.augmentor.data.importers.reading import Worker
from echo_augment.augmentor.data.importers.records import ImportPlan, Source
from echo_augment.augmentor.data.video import write_video
from tests.fakes.broken_tables import WILD as WILD_FIELDS
from tests.fakes.broken_tables import TableBreaker
from tests.fakes.camus import save_meta, write_patient
from tests.fakes.cines import beating, forms, header, region, save

LUMA = beating(20, 64, 80)
WILD = {
    "Rows": [0, 1, 63, 65, 65535],
    "Columns": [0, 1, 79, 81, 65535],
    "NumberOfFrames": ["0", "1", "19", "21", "2147483647", "-3"],
    "BitsAllocated": [1, 8, 16, 32, 64],
    "BitsStored": [0, 1, 7, 12, 16, 99],
    "SamplesPerPixel": [0, 1, 3, 4, 65535],
    "PhotometricInterpretation": ["RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR", "MONOCHROME1", "", "HSV"],
    "PlanarConfiguration": [0, 1, 7],
    "PixelRepresentation": [0, 1, 2],
    "FrameTime": ["0", "-5", "1e-9", "1e30", ""],
    "FrameTimeVector": [[], [0, 0], [0] * 20, [0, *[1e30] * 19]],
    "HeartRate": ["0", "-1", "999999"],
    "PatientID": ["", "\\", "x" * 64],
}


def videos(folder: Path) -> dict[str, bytes]:
    """A small cine in several containers."""
    import av

    found = {}
    write_video(folder / "a.avi", LUMA, 30)
    found["avi"] = (folder / "a.avi").read_bytes()
    pictures = [Image.fromarray(frame) for frame in LUMA]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=40)
    found["gif"] = buffer.getvalue()
    for form, codec in (("mp4", "mpeg4"), ("matroska", "ffv1"), ("mpeg", "mpeg2video")):
        with av.open(str(folder / form), "w", format=form) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
            for frame in LUMA:
                values = np.repeat(frame[..., None], 3, axis=-1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
            container.mux(stream.encode())
        found[form] = (folder / form).read_bytes()
    return found


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Bytes with one to three kinds of damage."""
    for _ in range(int(random.integers(1, 4))):
        values, size = bytearray(data), max(1, len(data))
        place = int(random.integers(size)) if random.random() < 0.5 else int(random.integers(min(size, 1500)))
        kind = int(random.integers(6))
        if kind == 0:
            for one in random.integers(size, size=int(random.integers(1, 20))):
                values[one] = int(random.integers(256))
        elif kind == 1:
            values = values[:place]
        elif kind == 2:
            values[place : place + 8] = random.bytes(8)
        elif kind == 3:
            values[place : place + 4] = b"\xff\xff\xff\xff"
        elif kind == 4:
            values[place:place] = random.bytes(int(random.integers(1, 200)))
        else:
            del values[place : place + int(random.integers(1, 200))]
        data = bytes(values) or b"\0"
    return data


class Breaker:
    """Makes and reads broken files.

    Args:
        folder: to work in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dicoms = {name: save(one, folder / "whole.dcm").read_bytes() for name, one in forms(LUMA).items()}
        self.videos = videos(folder)
        self.hasher = Hasher(b"k" * 32)
        self.tables = TableBreaker(folder, damaged)

    def worker(self, source: str) -> Worker:
        return Worker(self.folder / "out", ImportPlan(source=source), self.hasher, {})

    def read(self, number: int) -> str:
        """Make broken file ``number``, read it, and say what came of it."""
        random = np.random.default_rng(number)
        kind = number % 6
        if kind == 0:
            name = list(self.dicoms)[int(random.integers(len(self.dicoms)))]
            return self.one("dicom", damaged(self.dicoms[name], random))
        if kind == 1:
            return self.one("dicom", self.wild_header(random))
        if kind == 2:
            return self.camus(random)
        if kind > 3:
            return self.tables.read(random)
        name = list(self.videos)[int(random.integers(len(self.videos)))]
        return self.one("video", damaged(self.videos[name], random))

    def one(self, source: str, data: bytes) -> str:
        path = self.folder / "broken"
        path.write_bytes(data)
        return self.worker(source)(Source(path, path)).status

    def wild_header(self, random: np.random.Generator) -> bytes:
        """A whole file whose tags say impossible things."""
        dataset = header(LUMA.shape)
        dataset.PixelData = LUMA.tobytes()
        names = random.choice(list(WILD), int(random.integers(1, 4)), replace=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                setattr(dataset, name, WILD[name][int(random.integers(len(WILD[name])))])
            if random.random() < 0.3:
                corners = tuple(int(one) for one in random.integers(1, 2**31, 4))
                dataset.SequenceOfUltrasoundRegions = [
                    region(corners, int(random.integers(9)), int(random.integers(9)))
                ]
            return save(dataset, self.folder / "wild.dcm").read_bytes()

    def camus(self, random: np.random.Generator) -> str:
        """A patient of CAMUS one of whose files is damaged."""
        number = int(random.integers(1, 9999))
        folder = self.folder / "camus" / f"patient{number:04d}"
        if not folder.exists():
            write_patient(folder.parent, number)
        if random.random() < 0.3:
            (folder / f"{folder.name}_4CH_half_sequence.nii.gz").unlink(missing_ok=True)
            save_meta(folder / f"{folder.name}_4CH_sequence.mhd", LUMA, packed=random.random() < 0.5)
        paths = sorted(folder.iterdir())
        path = paths[int(random.integers(len(paths)))]
        if random.random() < 0.25:
            path = folder / "Info_4CH.cfg"
        data = path.read_bytes()
        if path.suffix == ".cfg" and random.random() < 0.6:
            lines = data.decode().splitlines()
            at = int(random.integers(len(lines)))
            lines[at] = f"{lines[at].split(':')[0]}: {WILD_FIELDS[int(random.integers(len(WILD_FIELDS)))]}"
            path.write_text("\n".join(lines), encoding="utf-8")
        elif path.name.endswith(".gz") and random.random() < 0.7:  # damage what is packed, not only the packing
            import gzip

            path.write_bytes(gzip.compress(damaged(gzip.decompress(data), random), 1))
        else:
            path.write_bytes(damaged(data, random))
        status = self.worker("camus")(Source(folder, folder, "4CH")).status
        for one in folder.iterdir():
            one.unlink()
        folder.rmdir()
        return status


def memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(first: int, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        breaker = Breaker(Path(folder))
        start, counts, slowest, largest = memory(), {}, (0.0, -1), (0, -1)
        for number in range(first, first + count):
            print(number, file=sys.stderr, flush=True)
            # The processor's time, for the machine may be busy; a hang runs into the test's own limit.
            before, began = memory(), time.process_time()
            status = breaker.read(number)
            counts[status] = counts.get(status, 0) + 1
            slowest = max(slowest, (time.process_time() - began, number))
            largest = max(largest, (memory() - before, number))
    print(json.dumps({"counts": counts, "slowest": slowest, "largest": largest, "grown": memory() - start}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
