"""Published metrics are asked for by name, of a folder that is there."""

import pytest

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.published.settings import MetricSettings


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"names": ["fvd"]}, "metrics.names"),
        ({"names": []}, "metrics.names is empty"),
        ({"clips": 1}, "metrics.clips"),
        ({"images": 0, "names": ["fid"]}, "metrics.images must be a whole number of at least 1,"),
        ({"images": 9}, "metrics.images must be a whole number of at least 10,"),
        ({"lpips": "squeeze"}, "metrics.lpips"),
    ],
)
def test_values_out_of_range_are_refused(wrong, message):
    with pytest.raises(EchoAugmentError, match=message):
        MetricSettings(**wrong)


def test_names_come_in_one_order_and_the_folder_must_be_there(tmp_path):
    assert MetricSettings(names=["lpips", "fvd16"]).wanted == ("fvd16", "lpips")
    MetricSettings().check_inputs()
    MetricSettings(weights=str(tmp_path)).check_inputs()
    with pytest.raises(EchoAugmentError, match=r"metrics\.weights=.*there is no such folder"):
        MetricSettings(weights=str(tmp_path / "none")).check_inputs()
