"""Table ``training``: what the host does for a step is timed, what the device does is counted, and shares follow."""

import numpy as np
import pytest
import torch
from torch import nn

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.speed.rows import PASS, SHORT
from echo_augment.evaluation.speed.settings import TrainingSettings
from echo_augment.evaluation.speed.training import Counted, count, load_preset, rows_of, training_table


def test_a_step_of_tiny_is_timed_and_counted(tmp_path):
    before = torch.get_rng_state()
    table = training_table(tmp_path, TrainingSettings(preset="tiny", rounds=2, teraflops=1))
    assert torch.equal(before, torch.get_rng_state())
    rows = {row.what: row for row in table.rows}
    assert len(rows) == 4 and all(row.found is not None and row.found.median > 0 for row in table.rows)
    arithmetic = rows["denoiser: arithmetic of a step"]
    assert 1 < arithmetic.found.median < 1e4 and "batches of 12" in table.how
    assert rows["denoiser: calls of the moving average"].found.median <= 4, "not one or more for every weight"


def test_operations_are_those_of_forward_and_backward():
    layer = nn.Linear(8, 4, bias=False)
    found = count((layer, lambda net, batch: {"loss": net(batch["x"]).sum()}, {"x": torch.ones(3, 8)}))
    assert found.operations == 2 * (2 * 3 * 8 * 4), "of the weights alone: the input has no gradient"
    assert layer.weight.device.type == "cpu"


@pytest.mark.parametrize(("milliseconds", "share", "verdict"), [(5.0, 100.0, PASS), (40.0, 25.0, SHORT)])
def test_the_share_of_the_card_follows_from_the_longer_of_both(milliseconds, share, verdict):
    drawing = np.full(3, milliseconds * 1e-3)
    host, _, arithmetic, card = rows_of("denoiser", drawing, Counted(operations=4e12, calls=2), 400.0)
    assert arithmetic.found.median == pytest.approx(10.0) and host.verdict == verdict
    assert card.found.median == pytest.approx(share)
    assert card.detail.startswith(f"{100 * 10 / (10 + milliseconds):.0f} %")


def test_presets_that_draw_no_copies_are_named():
    with pytest.raises(EchoAugmentError, match=r"training\.preset=paper has no motion transport"):
        load_preset("paper")
    with pytest.raises(EchoAugmentError, match=r"there is no preset 'huge'.*base, paper, tiny"):
        load_preset("huge")
