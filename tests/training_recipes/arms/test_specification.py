"""Every arm makes its dataset, and sees no label that it must not know."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.ef import cache, root, trained  # noqa: F401
from fakes.training import ORACLE
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch.utils.data import Subset

from echo_augment.augmentor import ClassicalAugment, SyntheticAugment
from echo_augment.cache import EchoAugmentError
from echo_augment.training_recipes.arms.specification import (
    CLIP_KINDS,
    TrainingSet,
    clips_of,
    make_arm,
    no_teacher,
    source_of,
)
from echo_augment.training_recipes.arms.strong import MixedUp
from echo_augment.training_recipes.arms.unlabelled import WithUnlabelled
from echo_augment.training_recipes.ef.training import train_ef
from echo_augment.training_recipes.training.batches import DecodedEcho

ARMS = sorted(path.stem for path in (Path(__file__).parents[3] / "training_recipes/conf/arm").glob("*.yaml"))
ARMS.remove("peer")  # of clips that are not made here; it has tests of its own


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_file_makes_a_dataset(name, root, cache):
    with initialize_config_module("echo_augment.training_recipes.conf", version_base="1.3"):
        cfg = compose("train-ef", [f"arm={name}", "data.root=x", "out=y"])
    [(arm, spec)] = OmegaConf.to_container(cfg.arm).items()
    assert arm == name
    base = DecodedEcho(root, length=6, period=4)
    given = TrainingSet(
        real=Subset(base, [0, 1, 2, 3]),
        labelled=tuple(row.name for row in base.rows[:4]),
        caches=dict.fromkeys(set(CLIP_KINDS) - {"peer"}, cache),
        seed=0,
        unlabelled=Subset(base, [4, 5, 6]),
        teach=lambda _, windows: np.full(3, 40.0 + windows),
    )
    dataset = make_arm(spec)(given)
    clip, ef = dataset[0]
    assert len(dataset) == 4 if "balanced" not in name else len(dataset) > 4
    assert clip.shape == (3, 6, 112, 112)
    assert clip.dtype == np.float32
    assert np.float32(ef) == ef
    kind = {"pseudo_label": WithUnlabelled, "mean_teacher": WithUnlabelled, "mixup": MixedUp}.get(name, Subset)
    if (spec.get("classical_p") and name != "mixup") or ".classical" in spec["_target_"]:
        kind = ClassicalAugment
    elif clips_of(spec) is not None:
        kind = SyntheticAugment
    assert type(dataset) is kind
    strong = [one for one in (dataset, getattr(dataset, "base", None)) if getattr(one, "strength", "") == "strong"]
    assert bool(strong) == ("strong" in (spec.get("classical_strength") or spec["_target_"]))
    assert (source_of(dataset) is None) == (clips_of(spec) is None)


def test_the_list_of_arms_holds_what_a_sceptic_asks_for():
    asked = (
        "real full classical classical_strong mixup pseudo_label+classical_strong mean_teacher+classical_strong warp"
    )
    asked += (
        " self shuffled transport synthetic synthetic_only synthetic+classical_strong synthetic+mean_teacher oracle"
    )
    asked += " oracle+classical_strong transport+classical_strong balanced+classical_strong"
    assert set(asked.split()) <= set(ARMS)


def test_an_arm_sees_no_clip_whose_label_it_must_not_know(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:2])
    given = TrainingSet(real=Subset(base, [0, 1]), labelled=labelled, caches={"oracle": cache}, seed=0)
    source = source_of(make_arm(ORACLE)(given))
    assert 0 < len(source) < 24
    assert {clip.provenance.motion_donor for clip in (source[k] for k in range(len(source)))} <= set(labelled)
    assert [clip.ef for clip in (source[k] for k in range(len(source)))] == pytest.approx(source.ef.tolist())
    with pytest.raises(EchoAugmentError, match="none of its 24 clips"):
        make_arm(ORACLE)(replace(given, labelled=("nobody",)))


def test_fewer_clips_and_the_control_with_shuffled_labels(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:4])
    given = TrainingSet(real=Subset(base, [0, 1]), labelled=labelled, caches={"oracle": cache}, seed=0)
    whole, few = (source_of(make_arm({**ORACLE, **more})(given)) for more in ({}, {"most": 3}))
    assert len(few) == 3 and few.ef.tolist() == whole.ef[:3].tolist()
    mixed = source_of(make_arm({**ORACLE, "label": "shuffled"})(given))
    assert sorted(mixed.ef) == sorted(whole.ef) and mixed.ef.tolist() != whole.ef.tolist()
    assert [mixed[k].ef for k in range(len(mixed))] == pytest.approx(mixed.ef.tolist())
    np.testing.assert_array_equal(mixed[1].frames, whole[1].frames)
    for wrong in ({"most": 0}, {"label": "best"}):
        with pytest.raises(EchoAugmentError, match=str(*wrong.values())):
            make_arm({**ORACLE, **wrong})(given)


def test_clips_can_be_labelled_by_what_another_arm_s_net_reads(root, cache):
    base = DecodedEcho(root, length=6, period=4)
    labelled = tuple(row.name for row in base.rows[:4])
    asked = []

    def reader(name):
        asked.append(name)
        return lambda clips: np.array([clip.ef + (3 if clip.ef > 50 else 30) for clip in clips])

    given = TrainingSet(real=Subset(base, [0]), labelled=labelled, caches={"oracle": cache}, seed=0, reader=reader)
    whole = source_of(make_arm(ORACLE)(given))
    taught = source_of(make_arm({**ORACLE, "label": "teacher", "teacher": "mine"})(given))
    raised = np.minimum(whole.ef + np.where(whole.ef > 50, 3, 30), 100)
    assert taught.ef.tolist() == pytest.approx(raised.tolist())
    assert taught[0].ef == pytest.approx(raised[0])
    assert taught[0].provenance.label_policy == "teacher(10)" and 0 < taught[0].confidence < 1
    agreed = source_of(make_arm({**ORACLE, "label": "consensus"})(given))
    assert agreed.ef.tolist() == pytest.approx([ef + 1.5 for ef in whole.ef if ef > 50])
    assert 0 < len(agreed) < len(whole), "clips without agreement are left out"
    assert asked == ["mine", "real"]
    with pytest.raises(EchoAugmentError, match="no confidence in any clip"):
        make_arm({**ORACLE, "label": "consensus", "tolerance": 0.1})(given)
    with pytest.raises(EchoAugmentError, match="learns from the net of the arm real"):
        make_arm({**ORACLE, "label": "teacher"})(replace(given, reader=no_teacher))


def test_a_training_with_a_teacher_s_labels_reads_them_from_the_clips(root, cache, trained, tmp_path):
    run, teacher, _ = trained
    again = replace(run, arm="taught", spec={**ORACLE, "label": "teacher", "teacher": "oracle"})
    result = train_ef(replace(again, teachers={"oracle": str(teacher)}), tmp_path / "taught", progress=False)
    assert result.test.mae > 0
    with pytest.raises(EchoAugmentError, match=r"teachers\.oracle=FOLDER"):
        train_ef(again, tmp_path / "none", progress=False)


def test_an_arm_without_its_cache_says_which(root):
    given = TrainingSet(real=Subset(DecodedEcho(root), [0]), labelled=("a",), caches={}, seed=0)
    with pytest.raises(EchoAugmentError, match="oracle clips"):
        make_arm(ORACLE)(given)
    with pytest.raises(EchoAugmentError, match="_target_"):
        make_arm({"p": 0.5})
