"""Which number format a device multiplies fast."""

import torch


def fast_dtype(device: str | torch.device) -> torch.dtype:
    """bfloat16 where the device has instructions for it, else float32."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if kind == "cpu" and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32
