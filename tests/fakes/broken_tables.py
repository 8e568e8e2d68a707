"""Broken tables, each by a random number: lists of videos, tracings, measurements, labels of an import, CAMUS' cfg."""

import warnings
from pathlib import Path

import numpy as np

from echo_augment.augmentor.data import EchoNetDynamic, VideoTable
from echo_augment.augmentor.data.checkup import check_dataset
from echo_augment.augmentor.data.importers.identity import Hasher
from echo_augment.augmentor.data.importers.label_table import read_labels
from echo_augment.augmentor.data.video import write_video
from echo_augment.cache.errors import EchoAugmentError

LIST = "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"
TABLES = {
    "FileList.csv": [
        "\n".join(
            [LIST, "A,55.5,44.5,100,24,32,50,12,TRAIN", "B,30,70,100,24,32,50,12,VAL", "V,60,40,100,24,32,50,12,TEST"]
        ),
        "\r\n".join(
            [
                LIST.replace(",", ";"),
                "A;55,5;44,5;100;24;32;50;12;0",
                "B;30;70;100;24;32;50;12;9",
                "V;6;4;10;24;32;5;1;8",
            ]
        ),
        "\ufefffile_name\tef\tsplit\nA.avi\t55\ttrain\nB.avi\t45\tvalid\n",
        "FileName,EF\nA,55\nB,30\n",
    ],
    "VolumeTracings.csv": [
        "\n".join(
            [
                "FileName,X1,Y1,X2,Y2,Frame",
                *(
                    f"{name}.avi,{9 - frame},{y},{20 + frame},{y},{frame}"
                    for name in "AB"
                    for frame in (2, 7)
                    for y in range(21)
                ),
            ]
        ),
        "\n".join(
            [
                "FileName,X,Y,Frame",
                *(f"A,{x},{y},{frame}" for frame in (1, 5) for x, y in ((4, 4), (20, 4), (20, 20 - frame), (4, 18))),
                "B,,,No Systolic",
            ]
        ),
    ],
    "MeasurementsList.csv": [
        "\n".join(
            [
                "HashedFileName,Calc,CalcValue,Frame,X1,X2,Y1,Y2,Frames,FPS,Width,Height,split",
                *(
                    f"{name},{calc},{value},3,4,5,6,7,12,50,32,24,{split}"
                    for name, split in (("A", "train"), ("B", "val"))
                    for calc, value in (("LVIDd", 4.5), ("IVSd", 1))
                ),
            ]
        )
    ],
    "labels.csv": [
        "FileName,Patient ID,LVEF,EDV,ESV,Split,FPS\na.dcm,007,55,100,45,TRAIN,50\nb,8,45.5,90,50,VAL,30\n",
        "Study;LVEF\n1.2.3;55,5\n1.2.4;30\n",
    ],
}
WILD = [
    "", " ", "nan", "inf", "-1", "0", "1e308", "1e999", "-0.0", "9" * 5000, "٣", "²", "½", "0x10", "1_000", "55,5",
    "1.234,5", "55 %", "'", '"', '"not closed', "\n", "\r", "\t", ";", ",,,,", "\0", "\u2028", "../A", "/etc/passwd",
    "C:\\A", "A/../A", ".", "..", "A\0", "Couldn't calculate", "No Systolic", "=1+1", "TRIAN", "FOLD:1", "fold:0,1",
    "a" * 200_000, "\u202eA", "Ａ", "2147483648", "99999999999999999999",
]  # fmt: skip


class TableBreaker:
    """Makes and reads broken tables.

    Args:
        folder: to work in.
        damaged: damages bytes.
    """

    def __init__(self, folder: Path, damaged) -> None:
        self.root, self.damaged = folder / "tables", damaged
        for number, name in enumerate("ABV"):
            frames = np.random.default_rng(number).integers(0, 200, (12, 24, 32), dtype=np.uint8)
            write_video(self.root / "Videos" / f"{name}.avi", frames, 50)

    def read(self, random: np.random.Generator) -> str:
        """Make a broken table, read it in every way there is, and say whether anything was refused."""
        name = list(TABLES)[int(random.integers(len(TABLES)))]
        text = TABLES[name][int(random.integers(len(TABLES[name])))]
        data = self.damaged(text.encode(), random) if random.random() < 0.4 else self.wild(text, random)
        for path in self.root.glob("*.csv"):
            path.unlink()
        if name == "VolumeTracings.csv":
            (self.root / "FileList.csv").write_text(TABLES["FileList.csv"][0])
        (self.root / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return self.labels(name) if name == "labels.csv" else self.data_set(name)

    @staticmethod
    def wild(text: str, random: np.random.Generator) -> bytes:
        """The table with one to four of its fields, or its header's, replaced; or with far too many lines or fields."""
        separator = next((one for one in "\t;" if one in text), ",")
        lines = [line.split(separator) for line in text.splitlines()]
        for _ in range(int(random.integers(1, 5))):
            line = lines[0 if random.random() < 0.3 else int(random.integers(len(lines)))]
            line[int(random.integers(len(line)))] = WILD[int(random.integers(len(WILD)))]
        more = random.random()
        if more < 0.05:
            size = sum(len(field) + 1 for line in lines for field in line)
            lines = lines + lines[1:] * min(10_000 // len(lines), 3_000_000 // size)
        elif more < 0.1:
            lines[0] = lines[0] * max(1, 20_000 // sum(len(field) + 1 for field in lines[0]))
        return "\n".join(separator.join(line) for line in lines).encode("utf-8", "surrogatepass")

    def labels(self, name: str) -> str:
        try:
            return "out" if read_labels(self.root / name, {}, Hasher(b"k" * 32)).problems else "in"
        except EchoAugmentError:
            return "out"

    def data_set(self, name: str) -> str:
        """Doctor, the reader and all of its samples."""
        doctor = check_dataset(self.root)
        assert all(problem.message and problem.remedy for problem in doctor.problems)
        target = ["LVIDd"] if name == "MeasurementsList.csv" else ["EF"]
        traced = [*target, "LargeTrace"] if name == "VolumeTracings.csv" else target
        readers = [
            lambda: EchoNetDynamic(self.root, "all", traced, length=4),
            lambda: EchoNetDynamic(self.root, "train", target, length=4, on_error="skip", require_tracings=False),
        ]
        if name == "FileList.csv":
            readers.append(lambda: VideoTable(self.root, name, {}, "all", "Filename", videos="Videos", length=4))
        refused = 0
        for reader in readers:
            try:
                data = reader()
                for index in range(len(data)):
                    data[index]
            except EchoAugmentError:
                refused += 1
        return "out" if refused or doctor.errors else "in"
