"""The networks read their published files, whatever is in them, and say which file is wrong."""

import sys

import numpy as np
import pytest
import torch
from fakes.metric_networks import Image, Video, write_inception, write_networks, write_scripts
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.published.networks import I3D, METRICS, Inception, Networks
from echo_augment.evaluation.published.scores import frechet_distance, inception_score


def videos(seed: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_i3d_is_called_as_stylegan_v_does(tmp_path):
    i3d = I3D(write_scripts(tmp_path) / "i3d_torchscript.pt")
    one = videos(0, 2, 16, 32, 32)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = Video().eval()
    with torch.no_grad():
        wanted = net(one[:, None].repeat(1, 3, 1, 1, 1), rescale=True, resize=True, return_features=True)
    np.testing.assert_allclose(i3d(one), wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_inception_as_a_torchscript_gives_features_and_probabilities_without_bias(tmp_path):
    inception = Inception(write_scripts(tmp_path))
    features, classes = inception(videos(0, 3, 32, 32))
    assert features.shape == (3, 2048) and classes.shape == (3, 1008)
    np.testing.assert_allclose(classes.sum(1), 1, atol=1e-5)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        Video()
        net = Image().eval()
    with torch.no_grad():
        colour = videos(0, 3, 32, 32)[:, None].repeat(1, 3, 1, 1)
        biased = net(colour)
        np.testing.assert_allclose(classes, net(colour, no_output_bias=True).numpy(), rtol=1e-3, atol=1e-7)
    assert not np.allclose(classes, biased.numpy(), rtol=1e-3)


def test_fid_and_score_by_pytorch_fids_weights_equal_torch_fidelitys_own(tmp_path):
    """End to end on the same images: its FID divides by N - 1, ours by N, which many images make small."""
    file = write_inception(tmp_path)
    inception = Inception(tmp_path)
    sets = [videos(seed, 16, 40, 40) // (seed + 1) for seed in (1, 2)]
    found = [inception(one) for one in sets]

    class Listed(torch.utils.data.Dataset):
        def __init__(self, images):
            self.images = images

        def __len__(self):
            return len(self.images)

        def __getitem__(self, at):
            return self.images[at][None].repeat(3, 1, 1)

    theirs = calculate_metrics(
        input1=Listed(sets[0]),
        input2=Listed(sets[1]),
        fid=True,
        isc=True,
        isc_splits=2,
        samples_shuffle=False,
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,
        feature_extractor_weights_path=str(file),
    )
    assert frechet_distance(found[0][0], found[1][0]) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-2)
    score = inception_score(found[0][1], 2)
    assert score.mean - 1 == pytest.approx(theirs["inception_score_mean"] - 1, rel=1e-2) and score.mean > 1.0001


def test_a_missing_or_wrong_file_is_named_with_what_to_do(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"i3d_torchscript\.pt: there is no such file.*StyleGAN-V"):
        Networks.load(tmp_path, METRICS)
    with pytest.raises(EchoAugmentError, match=r"inception-2015-12-05\.pt: there is no such file.*leave fid and is"):
        Networks.load(tmp_path, ("fid",))
    with pytest.raises(EchoAugmentError, match=r"alexnet-owt-7be5be79\.pth: there is no such file"):
        Networks.load(tmp_path, ("lpips",))
    write_networks(tmp_path)
    (tmp_path / "i3d_torchscript.pt").rename(tmp_path / "kept.pt")
    (tmp_path / "inception-2015-12-05.pt").rename(tmp_path / "i3d_torchscript.pt")
    with pytest.raises(EchoAugmentError, match=r"i3d_torchscript\.pt: is another network's"):
        Networks.load(tmp_path, ("fvd16",))
    (tmp_path / "kept.pt").rename(tmp_path / "inception-2015-12-05.pt")
    with pytest.raises(EchoAugmentError, match=r"inception-2015-12-05\.pt: is another network's"):
        Networks.load(tmp_path, ("is",))
    torch.save({"a": torch.zeros(1)}, tmp_path / "i3d_torchscript.pt")
    with pytest.raises(EchoAugmentError, match=r"i3d_torchscript\.pt: is no TorchScript"):
        Networks.load(tmp_path, ("fvd128",))


def test_only_what_is_asked_for_is_loaded(tmp_path):
    write_networks(tmp_path)
    found = Networks.load(tmp_path, ("lpips",))
    assert found.lpips is not None and found.i3d is None and found.inception is None
    whole = Networks.load(tmp_path, METRICS)
    assert whole.i3d is not None and whole.inception is not None


def test_weights_of_inception_are_tensors_only_and_all_there(tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return print, ("unpickled",)

    file = write_inception(tmp_path)
    weights = torch.load(file, weights_only=True)
    torch.save({**weights, "x": Evil()}, file)
    with pytest.raises(EchoAugmentError, match=r"pt_inception.*: is no checkpoint of tensors"):
        Inception(tmp_path)
    del weights["Mixed_6c.branch1x1.conv.weight"]
    torch.save(weights, file)
    with pytest.raises(EchoAugmentError, match=r"pt_inception.*is not Inception's.*Mixed_6c\.branch1x1\.conv\.weight"):
        Inception(tmp_path)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(EchoAugmentError, match=r"torch_fidelity is not installed.*echo-augment\[metrics\]"):
        Inception(tmp_path)


def test_nothing_is_downloaded(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download")

    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", refuse)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", refuse)
    write_inception(tmp_path)
    Inception(tmp_path)
    with pytest.raises(AssertionError, match="a download"):
        FeatureExtractorInceptionV3("inception", ["2048"])  # what the package does by itself
    with pytest.raises(EchoAugmentError):
        Networks.load(tmp_path / "empty", METRICS)
