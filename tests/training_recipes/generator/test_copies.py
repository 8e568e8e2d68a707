"""The copies' codes: a killed stage goes on with the next part, and ends as one that was not killed."""

import numpy as np
import pytest

from echo_augment.augmentor.mcdm.transport import MotionTransport
from echo_augment.training_recipes.common import parts
from echo_augment.training_recipes.generator import copies
from echo_augment.training_recipes.generator.copies import COPIES, video_codes, write_copies


def transport_for(motions):
    return MotionTransport(6, 16, scale=motions.latents.scale)


def test_a_videos_codes_are_its_number_and_the_seed(motions):
    transport, places = transport_for(motions).eval(), ((1, 0), (1, 0), (2, 0), (1, 5))
    one, same, other, later = (video_codes(motions, None, transport, *place) for place in places)
    assert one.shape == (4, COPIES, 6) and np.array_equal(one, same)
    assert not np.array_equal(one, other) and not np.array_equal(one, later)
    assert not np.allclose(one[:, 0], one[:, 1]), "each copy is another one"


def test_killed_copies_go_on_with_the_next_part(motions, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", 2)
    transport = transport_for(motions).eval()
    (tmp_path / "whole").mkdir()
    write_copies(motions, None, transport, tmp_path / "whole" / "copies.npy", 3)
    made, seen = copies.video_codes, []

    def dies(*args):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(args[3])
        return made(*args)

    monkeypatch.setattr(copies, "video_codes", dies)
    (tmp_path / "killed").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_copies(motions, None, transport, tmp_path / "killed" / "copies.npy", 3)
    assert [part.name for part in (tmp_path / "killed" / "copies.parts").iterdir()] == ["00000000.npy"]
    again = []
    monkeypatch.setattr(copies, "video_codes", lambda *args: again.append(args[3]) or made(*args))
    write_copies(motions, None, transport, tmp_path / "killed" / "copies.npy", 3)
    assert again == [2, 3, 4, 5] and not (tmp_path / "killed" / "copies.parts").exists()
    assert (tmp_path / "killed" / "copies.npy").read_bytes() == (tmp_path / "whole" / "copies.npy").read_bytes()
