"""The table store holds only the same samples against each other."""

import numpy as np
import pytest

from echo_augment.augmentor.data.layouts.finding import find_files
from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed.material import prepare
from echo_augment.evaluation.speed.settings import StoreSettings
from echo_augment.evaluation.speed.store import store_table


def test_a_cache_that_holds_other_frames_is_an_error(videos, tmp_path):
    material = prepare(find_files(videos), tmp_path, tmp_path, videos=2, seed=0)
    table = store_table(material, StoreSettings(rounds=1))
    assert table.rows[0].found is not None and table.rows[0].target == 40
    np.save(material.stack, 255 - np.load(material.stack))
    with pytest.raises(EchoAugmentError, match="differ by"):
        store_table(material, StoreSettings(rounds=1))
