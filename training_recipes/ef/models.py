"""EF regressors: echonet's R(2+1)D-18, and two small (2+1)D nets that train on a CPU in a minute or a few."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.video import R2Plus1D_18_Weights, r2plus1d_18

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import JsonValue

from ..training.setup import make_seeded
from .pretrained import EF_MEAN, EF_SCALE, PretrainedEF


class TinyEF(nn.Module):
    """EF of a clip from three (2+1)D stages on frames halved in size.

    Every stage is a strided spatial convolution and a temporal one, as in Tran et al., "A Closer Look at Spatiotemporal
    Convolutions" (CVPR 2018). The head sees the mean, the spread and the extremes of each feature over time, since EF
    is about how far the ventricle goes, not about where it is.

    Args:
        widths: channels of the stages.
        dropout: before the last layer.
        ef_mean: EF in percent that an untrained net predicts.
    """

    def __init__(self, *, widths: Sequence[int] = (16, 32, 64), dropout: float = 0.2, ef_mean: float = EF_MEAN) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 1
        for number, width in enumerate(widths):
            size = 5 if number == 0 else 3
            stages += [_conv(before, width, (1, size, size), (1, 2, 2)), _conv(width, width, (3, 1, 1), (1, 1, 1))]
            before = width
        self.features = nn.Sequential(*stages).to(memory_format=torch.channels_last_3d)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * before, 1))
        self.ef_mean = ef_mean

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` normalised clips (C equal channels) to ``(B,)`` EF in percent."""
        frames = functional.avg_pool3d(clips[:, :1], (1, 2, 2))
        return _read_over_time(self.features(frames).mean((3, 4)), self.head, self.ef_mean)


class SmallEF(nn.Module):
    """EF of a clip from a net that knows where in the frame something moves.

    The stages are those of `TinyEF`, wider. Their last map, 7 x 7 of a frame of 112 x 112, is not averaged: that of
    each frame becomes one vector, place by place, and convolutions over time follow. So a feature of the septum stays
    apart from the same feature of the lateral wall until the course of each over the beat has been seen. 0.34 M
    parameters; a step of 16 clips takes 0.17 s of one core in bf16 and 0.36 s in fp32.

    Args:
        widths: channels of the stages.
        kept: channels of the last map that go into the vector.
        hidden: length of the vector.
        dropout: before the last layer.
        size: side of a frame in pixels, which fixes the number of places.
        ef_mean: EF in percent that an untrained net predicts.
    """

    def __init__(
        self,
        *,
        widths: Sequence[int] = (24, 48, 96),
        kept: int = 24,
        hidden: int = 128,
        dropout: float = 0.2,
        size: int = 112,
        ef_mean: float = EF_MEAN,
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before, self.side = 1, size // 2
        for number, width in enumerate(widths):
            kernel = 5 if number == 0 else 3
            stages += [_conv(before, width, (1, kernel, kernel), (1, 2, 2)), _conv(width, width, (3, 1, 1), (1, 1, 1))]
            before, self.side = width, -(-self.side // 2)
        stages.append(_conv(before, kept, (1, 1, 1), (1, 1, 1)))
        self.features = nn.Sequential(*stages).to(memory_format=torch.channels_last_3d)
        self.places = nn.Sequential(nn.Dropout(dropout), nn.Conv1d(kept * self.side**2, hidden, 1))
        self.time = nn.Sequential(_over_time(hidden), _over_time(hidden))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * hidden, 1))
        self.ef_mean = ef_mean

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, C, T, H, W)`` normalised clips (C equal channels) to ``(B,)`` EF in percent."""
        found = self.features(functional.avg_pool3d(clips[:, :1], (1, 2, 2)))
        if found.shape[-2:] != (self.side, self.side):
            raise EchoAugmentError(
                f"the model small was made for frames of another size: its last map is {tuple(found.shape[-2:])}",
                f"It should be {self.side} x {self.side}: give model.settings.size=SIDE of the frames, in pixels",
            )
        flat = found.permute(0, 1, 3, 4, 2).flatten(1, 3)
        return _read_over_time(self.time(self.places(flat)), self.head, self.ef_mean)


def _over_time(width: int) -> nn.Sequential:
    layer = nn.Conv1d(width, width, 3, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm1d(width), nn.ReLU(inplace=True))


def _read_over_time(courses: Tensor, head: nn.Module, ef_mean: float) -> Tensor:
    """Return the EF in percent ``(B,)`` that mean, spread and extremes of courses ``(B, C, T)`` over time tell."""
    with torch.autocast(courses.device.type, enabled=False):  # EF in bfloat16 would come in steps of a quarter percent
        courses = courses.float()
        seen = [courses.mean(2), courses.std(2), courses.amax(2), courses.amin(2)]
        return ef_mean + EF_SCALE * head(torch.cat(seen, 1))[:, 0]


def _conv(before: int, after: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Sequential:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    layer = nn.Conv3d(before, after, kernel, stride, padding, bias=False)
    return nn.Sequential(layer, nn.BatchNorm3d(after), nn.ReLU(inplace=True))


class R2Plus1DEF(nn.Module):
    """R(2+1)D-18 with one output, as echonet (Ouyang et al., Nature 2020) trains it.

    Args:
        weights: ``"kinetics"`` (torchvision's download; where it cannot be had, the net stays random and ``note`` says
            so) or ``"random"``.
        ef_mean: start value of the last bias, in percent.

    Attributes:
        note: what a report should say about the start weights; empty where they are as asked.
    """

    def __init__(self, *, weights: str = "kinetics", ef_mean: float = EF_MEAN) -> None:
        super().__init__()
        if weights not in ("kinetics", "random"):
            raise EchoAugmentError(f"model weights must be 'kinetics' or 'random', got {weights!r}")
        self.note = ""
        self.net = r2plus1d_18(weights=None)
        if weights == "kinetics":
            try:
                self.net.load_state_dict(R2Plus1D_18_Weights.KINETICS400_V1.get_state_dict(check_hash=True))
            except (OSError, RuntimeError) as error:
                self.note = f"Kinetics weights could not be had ({error}); R(2+1)D-18 started from random weights"
        self.net.fc = nn.Linear(self.net.fc.in_features, 1)
        self.net.fc.bias.data[0] = ef_mean

    def forward(self, clips: Tensor) -> Tensor:
        """``(B, 3, T, H, W)`` normalised clips to ``(B,)`` EF in percent."""
        return self.net(clips)[:, 0]


KINDS: Mapping[str, Callable[..., nn.Module]] = {
    "tiny": TinyEF,
    "small": SmallEF,
    "r2plus1d_18": R2Plus1DEF,
    "pretrained": PretrainedEF,
}


def make_model(name: str, settings: Mapping[str, JsonValue], seed: int) -> nn.Module:
    """The EF model of a configuration, its start weights a pure function of ``seed``.

    Raises:
        EchoAugmentError: there is no such model.
    """
    return make_seeded(KINDS, "EF", name, settings, seed)
