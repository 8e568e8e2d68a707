"""A ready-made synthetic set beside the generator's clips, under one protocol."""

import pytest
from fakes.benchmark import configure, load
from fakes.peers import write_set

from echo_augment.cache import EchoAugmentError
from echo_augment.evaluation.benchmark.job import run_benchmark
from echo_augment.training_recipes.filling.peers import import_peer_clips


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers")
    write_set(folder / "set", [(f"p{k}", 40 + 5 * k, "TRAIN") for k in range(4)], frames=48, side=112)
    import_peer_clips(folder / "set", folder / "cache", origin="EchoFlow", fps=12.5, progress=False)
    return folder / "cache"


def test_the_arm_is_trained_and_compared_and_the_report_says_what_is_not_known(root, peers, tmp_path):
    given = ["labels=[3]", "arm=[real,synthetic,peer]", f"+caches.peer={peers}"]
    report = run_benchmark(configure(f"out={tmp_path}", f"data.root={root}", *given), "benchmark", load)
    assert list(report.arms) == ["real", "synthetic", "peer"]
    assert {"peer-real", "synthetic-peer"} <= set(report.contrasts)
    (note,) = [note for note in report.notes if "peer" in note]
    assert note.startswith("The arm peer trains with 4 clips of EchoFlow (peer-") and "not tied to" in note
    assert {fill.kind for fill in report.clips} == {"synthetic"}, "the ready-made set is not filled"
    page = (tmp_path / "report.md").read_text()
    assert "EchoFlow" in page and "not tied to the labelled videos" in page


def test_without_a_cache_it_says_how_to_make_one_before_any_work(root, peers, tmp_path):
    given = [f"out={tmp_path / 'out'}", f"data.root={root}", "labels=[3]", "arm=[real,peer]"]
    with pytest.raises(EchoAugmentError, match=r"needs a cache of peer clips.*action=import .*\+caches\.peer=OUT"):
        run_benchmark(configure(*given), "benchmark", load)
    assert not (tmp_path / "out").exists()
    with pytest.raises(EchoAugmentError, match="brings no masks"):
        run_benchmark(configure(*given, f"+caches.peer={peers}", "task=segmentation", "model=unet"), "benchmark", load)
