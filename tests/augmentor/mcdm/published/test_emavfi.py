"""EMA-VFI's checkpoints become a MAFE of their own width and depths."""

import pytest
import torch
from safetensors.torch import save_file

from echo_augment.augmentor.mcdm.mafe import MAFE
from echo_augment.augmentor.mcdm.mafe.published import published_name
from echo_augment.augmentor.mcdm.published.emavfi import import_mafe
from echo_augment.cache import EchoAugmentError


@pytest.fixture(scope="module")
def mafe() -> MAFE:
    with torch.random.fork_rng([]):
        return MAFE(8, (2, 1, 2, 2, 1), (2, 4), channels=3)


@pytest.fixture
def weights(mafe) -> dict[str, torch.Tensor]:
    return {published_name(name): value.clone() for name, value in mafe.state_dict().items()}


@pytest.mark.parametrize("end", ["pkl", "safetensors"])
def test_its_form_is_read_from_the_weights(mafe, weights, tmp_path, end):
    file = tmp_path / f"ours.{end}"
    if end == "pkl":
        torch.save({f"module.{name}": value for name, value in weights.items()}, file)
    else:
        save_file({name: value.contiguous() for name, value in weights.items()}, file)
    found = import_mafe(file)
    assert {key: found.config[key] for key in ("width", "channels")} == {"width": 8, "channels": 3}
    assert (tuple(found.config["depths"]), tuple(found.config["heads"])) == ((2, 1, 2, 2, 1), (2, 4))
    assert all(torch.equal(value, found.state_dict()[name]) for name, value in mafe.state_dict().items())


def test_a_missing_weight_is_named(weights, tmp_path):
    del weights["unet.conv.weight"]
    torch.save(weights, tmp_path / "ours.pkl")
    with pytest.raises(EchoAugmentError, match=r"ours\.pkl: .*unet\.conv\.weight is missing"):
        import_mafe(tmp_path / "ours.pkl")


def test_other_files_are_refused_and_nothing_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("unpickled",)

    for name, content in (("a.pkl", {"x": Evil()}), ("b.pkl", [1, 2]), ("c.pkl", {"x": torch.zeros(1)})):
        torch.save(content, tmp_path / name)
        with pytest.raises(EchoAugmentError, match=rf"{name}: (is no checkpoint|holds something else|EMA-VFI)"):
            import_mafe(tmp_path / name)
    with pytest.raises(EchoAugmentError, match="there is no such file"):
        import_mafe(tmp_path / "d.pkl")
