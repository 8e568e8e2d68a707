"""What the core alone must do, without any extra: run by `.ci/run` where nothing else is installed.

`python core_only.py FOLDER` where the core is installed alone; with `--hide` it hides what is installed besides.
"""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

MORE = [
    "PIL",
    "accelerate",
    "albumentations",
    "diffusers",
    "huggingface_hub",
    "hydra",
    "isal",
    "lightning",
    "matplotlib",
]
MORE += [
    "nibabel",
    "omegaconf",
    "pandas",
    "pydicom",
    "safetensors",
    "scipy",
    "sklearn",
    "submitit",
    "torchvision",
    "tqdm",
]

folder = Path(sys.argv[1])
if "--hide" in sys.argv:
    sys.modules.update(dict.fromkeys(MORE))
else:
    there = [name for name in MORE if importlib.util.find_spec(name)]
    assert not there, f"more than the core is installed: {there}"

import numpy as np  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

import echo_augment  # noqa: E402
from echo_augment import CachedClips, ClipStore, EchoAugmentError, EchoClip, EchoNetDynamic, SyntheticAugment  # noqa: E402
from echo_augment.augmentor.data import write_video  # noqa: E402
from echo_augment.augmentor.data.packing import pack  # noqa: E402
from echo_augment.cache import fill, make_plan, verify  # noqa: E402

# A folder in EchoNet-Dynamic's layout is read, and packed.
root, rng = folder / "set", np.random.default_rng(0)
splits = ["TRAIN", "TRAIN", "TRAIN", "VAL", "TEST"]
table = ["FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split"]
for number, split in enumerate(splits):
    frames = np.repeat(rng.integers(0, 255, (40, 28, 28), np.uint8), 4, axis=1).repeat(4, axis=2)
    write_video(root / "Videos" / f"v{number}.avi", frames, 50.0)
    table.append(f"v{number},{50 + number},40,90,112,112,50,40,{split}")
(root / "FileList.csv").write_text("\n".join(table) + "\n")
base = EchoNetDynamic(root, split="train", length=8, period=2)
assert len(base) == 3 and base[0][0].shape == (3, 8, 112, 112)
assert pack(root, folder / "store").packed == 5
packed = EchoNetDynamic(root, split="train", length=8, period=2, store=folder / "store")
assert np.array_equal(packed[1][0], base[1][0])

# A cache is filled, verified and mixed in.
plan = make_plan({"v0": 50.0, "v1": 51.0}, ["v0", "v1"], n=6)
summary = fill(
    plan,
    lambda lines: [
        EchoClip(line.clip_id, rng.integers(0, 255, (40, 112, 112), np.uint8), fps=50, ef=60.0) for line in lines
    ],
    folder / "cache",
    progress=False,
)
assert summary.complete and len(ClipStore(folder / "cache")) == 6 and verify(folder / "cache") == []
mixed = SyntheticAugment(base, CachedClips(folder / "cache"), p=1.0, seed=0)
loader = DataLoader(mixed, batch_size=3, num_workers=1)
assert next(iter(loader))[0].shape == (3, 3, 8, 112, 112)

# What needs more names the extra, in Python and on the command line.
for name, extra in (("MCDMPipeline", "generate"), ("ClassicalAugment", "recipes")):
    try:
        getattr(echo_augment, name)
    except (EchoAugmentError, ImportError) as error:
        assert str(error).endswith(f"pip install 'echo-augment[{extra}]'"), error
    else:
        raise SystemExit(f"{name} was imported")
code = f"import sys; sys.modules.update(dict.fromkeys({MORE})); import echo_augment; echo_augment._command()"
told = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
assert (told.returncode, told.stdout) == (1, "") and told.stderr.count("\n") == 1, told.stderr
assert told.stderr.endswith("pip install 'echo-augment[recipes]'\n"), told.stderr

# Every module can be imported, or says which extra it needs.
asked = []
for floor in ("cache", "augmentor"):
    package = importlib.import_module(f"echo_augment.{floor}")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda name: None):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            assert getattr(error, "extra", ""), f"{module.name}: {error!r}"
            asked.append(module.name)
for floor in ("training_recipes", "evaluation"):
    try:
        importlib.import_module(f"echo_augment.{floor}")
    except ImportError as error:
        assert error.extra == "recipes"
assert not any(name.split(".")[1] == "cache" for name in asked) and len(asked) > 10, asked
print(f"the core works alone; {len(asked)} modules of floors 1 and 2 ask for an extra")
