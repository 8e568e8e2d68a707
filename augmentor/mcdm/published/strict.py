"""Weights fit a network whole or not at all: a missing, extra or misshapen one is an error that names the first."""

import pickle
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from echo_augment.cache.arguments import HUB_ID
from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.extras import needs

with needs("generate"):
    from diffusers.models.modeling_utils import ModelMixin
    from diffusers.utils import logging
    from safetensors import SafetensorError
    from safetensors.torch import load_file

OURS = "Name a network that train-generator wrote; weights of others come in by echo-augment import-weights"
GENERATORS = "Name the folder that train-generator or save_pretrained wrote (its generator/), a Hub id, or 'bundled'"
WHOLE: dict[str, bool] = {  # so that diffusers tells what does not fit
    "output_loading_info": True,
    "ignore_mismatched_sizes": True,
    "low_cpu_mem_usage": False,
}


@contextmanager
def quietly() -> Iterator[None]:
    """Leave out what diffusers says while it loads and nobody can act on: a bar, a word of its next major release, and
    notes on how it reads our signatures. What does not fit is an error here anyway."""
    before, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch_dtype` is deprecated", FutureWarning)
            yield
    finally:
        logging.set_verbosity(before)
        if shown:
            logging.enable_progress_bar()


def refuse_misfits(
    where: str,
    wanted: Sequence[str],
    missing: Collection[str],
    extra: Collection[str],
    misshapen: Sequence[tuple[str, Sequence[int], Sequence[int]]] = (),
    remedy: str = OURS,
) -> None:
    """Raise if weights do not fit a network exactly.

    Args:
        where: what was read, for the message.
        wanted: the network's weights in its own order.
        missing: those that were not read.
        extra: names that were read and that the network does not have.
        misshapen: name, shape that was read and the network's own, of those that differ.
        remedy: what to do.

    Raises:
        EchoAugmentError: naming the first missing weight, else the first extra one, else the first misshapen one.
    """
    lost = [name for name in wanted if name in set(missing)]
    counts = f"{len(lost)} missing, {len(extra)} extra, {len(misshapen)} of another shape"
    if lost:
        raise EchoAugmentError(f"{where}: the weight {lost[0]} is missing ({counts})", remedy)
    if extra:
        raise EchoAugmentError(f"{where}: no network of this kind has the weight {min(extra)} ({counts})", remedy)
    if misshapen:
        name, read, own = misshapen[0]
        raise EchoAugmentError(f"{where}: the weight {name} is {tuple(read)}, not {tuple(own)} ({counts})", remedy)


def read_tensors(file: Path, remedy: str) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name: ``torch.save``'s, nothing unpickled but tensors, or safetensors.

    Args:
        file: the checkpoint.
        remedy: what to do if it cannot be read.

    Raises:
        EchoAugmentError: no such file, not a checkpoint, or one that holds more than tensors.
    """
    if not file.is_file():
        raise EchoAugmentError(f"{file}: there is no such file", remedy)
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise EchoAugmentError(f"{file}: is no checkpoint of tensors ({first_line(error)})", remedy) from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise EchoAugmentError(f"{file}: holds something else than tensors by name", remedy)
    return dict(found)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its kind if it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


@contextmanager
def told_in_one_error(where: str) -> Iterator[None]:
    """Load a pipeline inside; whatever stands in the way is one error, not each library's own.

    Args:
        where: folder or Hub id.

    Raises:
        EchoAugmentError: no such folder, no pipeline in it, or one that cannot be loaded.
    """
    folder = Path(where)
    if folder.is_dir() and not (folder / "model_index.json").is_file():
        raise EchoAugmentError(f"generator {where}: there is no model_index.json", GENERATORS)
    if not folder.exists() and not HUB_ID.fullmatch(where):
        raise EchoAugmentError(f"generator {where}: there is no such folder", GENERATORS)
    try:
        yield
    except EchoAugmentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EchoAugmentError(f"generator {where}: cannot be loaded ({first_line(error)})", GENERATORS) from error


def load_whole(kind: type[ModelMixin], where: str, *, remedy: str = OURS, **kwargs: Any) -> Any:
    """Return a network that diffusers loads; by itself it would draw missing weights at random, with a warning.

    Args:
        kind: class of the network, one of diffusers' own.
        where: folder or Hub id.
        remedy: what to do if the weights do not fit.
        kwargs: of ``from_pretrained``.

    Raises:
        EchoAugmentError: a weight is missing, extra or of another shape.
    """
    network, found = kind.from_pretrained(where, **kwargs, **WHOLE)
    told = found["missing_keys"], found["unexpected_keys"], found["mismatched_keys"]
    refuse_misfits("/".join(filter(None, [where, kwargs.get("subfolder")])), list(network.state_dict()), *told, remedy)
    return network


class StrictModel(ModelMixin):
    """A diffusers network that loads whole or not at all."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str, **kwargs: Any) -> Self:
        """Load the network of a folder or Hub id, as diffusers does.

        Raises:
            EchoAugmentError: a weight is missing, extra or of another shape; the first one is named.
        """
        where = str(pretrained_model_name_or_path)
        network, found = super().from_pretrained(where, **kwargs | WHOLE)
        told = found["missing_keys"], found["unexpected_keys"], found["mismatched_keys"]
        refuse_misfits(where, list(network.state_dict()), *told)
        whole: Self = network
        return whole
