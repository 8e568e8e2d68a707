"""CAMUS as it is published: half beats with masks in NIfTI, or the older MetaImage; no original was at hand."""

import zlib
from pathlib import Path

import nibabel
import numpy as np

SPACING = (0.30, 0.30)  # mm, (dy, dx)


def ventricle(
    frames: int = 12, shape: tuple[int, int] = (160, 140), strength: float = 0.25, spacing=SPACING, seed: int = 0
):
    """Frames and labels ``(T, H, W)`` of an ellipse that shrinks, and its half axes in mm at ED and ES."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    y, x = (y - shape[0] * 0.45) * spacing[0], (x - shape[1] / 2) * spacing[1]
    random = np.random.default_rng(seed)
    images, labels, axes = [], [], []
    for k in range(frames):
        size = 1 - strength * k / (frames - 1)
        long, short = 17.0 * (0.5 + size / 2), 8.0 * size
        inside = (y / long) ** 2 + (x / short) ** 2 <= 1
        wall = (y / (long + 2)) ** 2 + (x / (short + 2)) ** 2 <= 1
        labels.append(np.where(inside, 1, np.where(wall, 2, 0)).astype(np.uint8))
        images.append(np.clip(random.normal(np.where(inside, 25, 110), 12), 0, 255).astype(np.uint8))
        axes.append((long, short))
    return np.stack(images), np.stack(labels), (axes[0], axes[-1])


def ellipsoid_ef(axes) -> float:
    """EF in percent of the ellipsoids of these half axes."""
    (long, short), (es_long, es_short) = axes
    return 100 * (1 - es_long * es_short**2 / (long * short**2))


def save_nifti(path: Path, values: np.ndarray, spacing=SPACING) -> None:
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([spacing[1], spacing[0], 1, 1]))
    image.header.set_zooms((spacing[1], spacing[0], 1.0))
    nibabel.save(image, path)


def save_meta(path: Path, values: np.ndarray, spacing=SPACING, packed: bool = False) -> None:
    data = values.tobytes()
    raw = path.with_suffix(".zraw" if packed else ".raw")
    raw.write_bytes(zlib.compress(data) if packed else data)
    path.write_text(
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"CompressedData = {packed}\nElementSpacing = {spacing[1]} {spacing[0]} 1\n"
        f"DimSize = {values.shape[2]} {values.shape[1]} {values.shape[0]}\nElementType = MET_UCHAR\n"
        f"ElementDataFile = {raw.name}\n"
    )


def write_patient(
    root: Path, number: int, *, meta: bool = False, ef: str | None = None, strength: float = 0.25
) -> float:
    """A patient's folder; returns the true EF."""
    folder = root / f"patient{number:04d}"
    folder.mkdir(parents=True)
    save, suffix = (save_meta, ".mhd") if meta else (save_nifti, ".nii.gz")
    for place, view in enumerate(("2CH", "4CH")):
        images, labels, axes = ventricle(strength=strength, seed=2 * number + place)
        stem = f"{folder.name}_{view}"
        true = ellipsoid_ef(axes)
        name = "sequence" if meta else "half_sequence"
        save(folder / f"{stem}_{name}{suffix}", images)
        lines = ["ED: 1", f"ES: {len(images)}", f"NbFrame: {len(images)}", "Sex: F", "Age: 56"]
        stated = f"{true:.0f}" if ef is None else ef
        if meta:
            for phase, frame in (("ED", 0), ("ES", -1)):
                save(folder / f"{stem}_{phase}_gt{suffix}", labels[[frame]])
            lines += ["ImageQuality: Medium", "LVedv: 90.0", "LVesv: 40.0", f"LVef: {stated}"]
        else:
            save(folder / f"{stem}_{name}_gt{suffix}", labels)
            lines += [f"ImageQuality: {'Good' if number % 2 else 'Poor'}", f"EF: {stated}", "FrameRate: 47.4"]
        (folder / f"Info_{view}.cfg").write_text("\n".join(lines) + "\n")
    return true


def write_camus(root: Path, patients: int = 3, **settings) -> list[float]:
    """``database_nifti/`` with patients, and ``database_split/`` with the official split."""
    found = [write_patient(root / "database_nifti", number, **settings) for number in range(1, patients + 1)]
    split = root / "database_split"
    split.mkdir()
    names = [f"patient{number:04d}" for number in range(1, patients + 1)]
    (split / "subgroup_training.txt").write_text("\n".join(names[2:]) + "\n")
    (split / "subgroup_validation.txt").write_text(names[0] + "\n")
    (split / "subgroup_testing.txt").write_text(names[1])
    return found
