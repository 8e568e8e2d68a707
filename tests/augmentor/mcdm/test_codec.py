"""A codec from elsewhere: a folder in diffusers' layout loads whatever its image channels, and a wrong one is named."""

import json

import pytest
import torch
from diffusers import AutoencoderKL

from echo_augment.augmentor.mcdm.codec import decode, encode, load_codec, split_source
from echo_augment.augmentor.mcdm.fingerprint import hash_network
from echo_augment.cache import EchoAugmentError


def published_kind(channels=3, blocks=(8, 8, 16, 16), latents=4, seed=0):
    """The layout of EchoNet-Synthetic's codec, much smaller: attention in the middle, quant convolutions."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(blocks),
            up_block_types=("UpDecoderBlock2D",) * len(blocks),
            block_out_channels=blocks,
            latent_channels=latents,
            norm_num_groups=4,
            sample_size=112,
        )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_autoencoder_loads_and_codes_gray_frames(tmp_path, channels):
    codec = published_kind(channels)
    codec.save_pretrained(tmp_path / "vae")
    loaded = load_codec(str(tmp_path / "vae"))
    frames = torch.randint(0, 255, (2, 112, 112), dtype=torch.uint8)
    latents = encode(loaded, frames)
    torch.testing.assert_close(latents, encode(codec.eval(), frames))
    assert latents.shape == (2, 4, 14, 14) and decode(loaded, latents).shape == frames.shape


def test_the_hash_follows_weights_and_not_the_folder(tmp_path):
    codec = published_kind()
    for name in ("a", "b"):
        codec.save_pretrained(tmp_path / name)
    first, second = (load_codec(str(tmp_path / name)) for name in ("a", "b"))
    assert hash_network(first) == hash_network(second) == hash_network(codec) != hash_network(published_kind(seed=1))


def test_a_hub_name_has_owner_name_and_perhaps_a_subfolder():
    assert split_source("hub:HReynaud/EchoNet-Synthetic/vae/dynamic") == ("HReynaud/EchoNet-Synthetic", "vae/dynamic")
    assert split_source("hub:a/b") == ("a/b", "")
    with pytest.raises(EchoAugmentError, match="codec hub:alone: a Hub id has an owner and a name"):
        load_codec("hub:alone")


def test_what_cannot_be_used_is_named(tmp_path):
    with pytest.raises(EchoAugmentError, match=r"nowhere: there is no such folder.*save_pretrained"):
        load_codec(str(tmp_path / "nowhere"))
    with pytest.raises(EchoAugmentError, match=r"there is no config\.json"):
        load_codec(str(tmp_path))
    published_kind(latents=16).save_pretrained(tmp_path / "wide")
    with pytest.raises(EchoAugmentError, match="shrinks 8 times to 16 channels"):
        load_codec(str(tmp_path / "wide"))
    published_kind(blocks=(8, 8, 16)).save_pretrained(tmp_path / "shallow")
    with pytest.raises(EchoAugmentError, match=r"shrinks 4 times to 4 channels.*Take a codec that shrinks 8 times"):
        load_codec(str(tmp_path / "shallow"))
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"_class_name": "AutoencoderTiny"}))
    with pytest.raises(EchoAugmentError, match="is a AutoencoderTiny, not an AutoencoderKL"):
        load_codec(str(folder))


def test_a_folder_without_its_weights_is_named(tmp_path):
    published_kind().save_pretrained(tmp_path / "vae")
    next((tmp_path / "vae").glob("*.safetensors")).unlink()
    with pytest.raises(EchoAugmentError, match="vae: cannot be loaded"):
        load_codec(str(tmp_path / "vae"))
