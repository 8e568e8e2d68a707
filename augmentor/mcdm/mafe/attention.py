"""Attention from each frame to the other one in windows: attended values and, by the same weights, attended places."""

import torch
from torch import Tensor, nn

MASKED = -100.0  # added to the score of two places that lie side by side only because the map was rolled
EPS = 1e-6  # of the layer norms


class Windows(nn.Module):
    """Cuts a square map into windows and joins them again, after rolling it by ``shift`` places along both axes.

    Args:
        side: of the map, a multiple of ``window``.
        window: side of a window.
        shift: places; 0 rolls nothing.

    Attributes:
        places: x and y of every place in [-1, 1] over the whole map, cut like it: ``(N, T, 2)`` for N windows of T.
        mask: of a rolled map, `MASKED` for pairs of places from opposite borders and 0 for others, ``(N, T, T)``.
    """

    places: Tensor
    mask: Tensor | None

    def __init__(self, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.count, self.window, self.shift = side // window, window, shift
        line = torch.linspace(-1, 1, side)
        ys, xs = torch.meshgrid(line, line, indexing="ij")
        self.register_buffer("places", self.split(torch.stack([xs, ys], dim=-1)[None]), persistent=False)
        mask = None
        if shift:
            # The last window of a rolled map holds two parts, of places before and after the map's end.
            part = torch.zeros(side)
            part[side - window : side - shift], part[side - shift :] = 1, 2
            parts = self._cut((3 * part[:, None] + part[None, :])[None, :, :, None])[..., 0]
            mask = torch.where(parts[:, :, None] == parts[:, None, :], 0.0, MASKED)
        self.register_buffer("mask", mask, persistent=False)

    def split(self, x: Tensor) -> Tensor:
        """Cut maps ``(B, h, w, C)`` into windows ``(B N, T, C)``."""
        return self._cut(x.roll((-self.shift, -self.shift), (1, 2)) if self.shift else x)

    def _cut(self, x: Tensor) -> Tensor:
        count, window = self.count, self.window
        cut = x.reshape(len(x), count, window, count, window, x.shape[-1]).permute(0, 1, 3, 2, 4, 5)
        return cut.reshape(-1, window * window, x.shape[-1])

    def join(self, windows: Tensor) -> Tensor:
        """Join windows ``(B N, T, C)`` to maps ``(B, h, w, C)``."""
        count, window = self.count, self.window
        x = windows.reshape(-1, count, count, window, window, windows.shape[-1]).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, count * window, count * window, windows.shape[-1])
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x


class InterFrameAttention(nn.Module):
    """Queries of one frame, keys and values of the other; the weights that attend to values attend to places, too.

    Args:
        channels: of the features.
        motion: channels of the motion features.
        heads: attention heads.
    """

    def __init__(self, channels: int, motion: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.place = nn.Linear(2, motion)
        self.motion = nn.Linear(motion, motion)

    def forward(self, own: Tensor, other: Tensor, places: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return attended values ``(B N, T, C)`` and motion features ``(B N, T, M)``.

        Args:
            own: windows of each frame, ``(B N, T, C)``.
            other: the same windows of the frame that it looks at.
            places: see `Windows`, ``(N, T, 2)``.
            mask: see `Windows`, ``(N, T, T)``.
        """
        number = len(places)
        embedded = self.place(places)
        query, key, value = (self._heads(x) for x in (self.query(own), *self.key_value(other).chunk(2, dim=-1)))
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if mask is not None:
            scores = (scores.unflatten(0, (-1, number)) + mask[:, None]).flatten(0, 1)
        weights = scores.softmax(-1)
        attended = (weights @ value).transpose(1, 2).flatten(2)
        arrived = weights.unflatten(0, (-1, number)) @ self._heads(embedded)
        moved = arrived.transpose(2, 3).flatten(3) - embedded
        return self.out(attended), self.motion(moved.flatten(0, 1))

    def _heads(self, x: Tensor) -> Tensor:
        heads: Tensor = x.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear maps around a depthwise 3 x 3 convolution, through which neighbouring places meet."""

    def __init__(self, channels: int, ratio: int = 4) -> None:
        super().__init__()
        inner = ratio * channels
        self.widen, self.narrow = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, h, w, C)`` to the same shape."""
        mixed = self.depthwise(self.widen(x).permute(0, 3, 1, 2))
        result: Tensor = self.narrow(self.act(mixed).permute(0, 2, 3, 1))
        return result


class InterFrameLayer(nn.Module):
    """Inter-frame attention, then a feed-forward layer.

    After the attention the residual is the *normed* input, as in EMA-VFI; after the feed-forward layer it is the input.

    Args:
        channels: of the features.
        motion: channels of the motion features.
        heads: attention heads.
        windows: how the maps are cut.
    """

    def __init__(self, channels: int, motion: int, heads: int, windows: Windows) -> None:
        super().__init__()
        self.windows = windows
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.attention = InterFrameAttention(channels, motion, heads)
        self.norm_forward = nn.LayerNorm(channels, eps=EPS)
        self.forward_layer = FeedForward(channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(2 B, h, w, C)``, all first frames before all second ones, to that and motion ``(2 B, h, w, M)``."""
        own = self.norm(self.windows.split(x))
        first, second = own.chunk(2)
        other = torch.cat([second, first])
        attended, motion = self.attention(own, other, self.windows.places, self.windows.mask)
        x = self.windows.join(own + attended)
        return x + self.forward_layer(self.norm_forward(x)), self.windows.join(motion)
