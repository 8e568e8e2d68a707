from collections import Counter

import numpy as np
import pytest
from fakes.cache import donors, fake_plan
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_augment.cache import EchoAugmentError, Plan, make_plan
from echo_augment.cache.plan import share_out

hearts = st.integers(1, 30)


@settings(max_examples=60, deadline=None)
@given(
    motion=hearts,
    looks=hearts,
    offset=st.integers(0, 10),
    n=st.integers(1, 150),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_every_plan_keeps_its_promises(motion, looks, offset, n, seed, data):
    efs = {name: 40.0 + 2 * k for k, name in enumerate(f"H{k}" for k in range(motion))}
    appearance = [f"H{k + offset}" for k in range(looks)]
    arguments = {"seed": seed, "balance": data.draw(st.sampled_from(["natural", "uniform"])), "fingerprint": "f"}
    efs = {name: min(ef, 100.0) for name, ef in efs.items()}
    plan = make_plan(efs, appearance, n, **arguments)
    lines = plan.lines + plan.reserve
    assert len(plan.lines) == n and len(plan.reserve) == int(np.ceil(n / 4))
    assert len({line.clip_id for line in lines}) == len(lines)
    assert len({line.seed for line in lines}) > len(lines) - 3
    assert {line.motion_donor for line in lines} <= set(efs)
    assert {line.appearance_donor for line in lines} <= set(appearance)
    possible = sum(look != name for name in efs for look in appearance)
    pairs = Counter((line.motion_donor, line.appearance_donor) for line in lines)
    if possible:
        assert all(name != look for name, look in pairs)
        assert max(pairs.values()) <= -(-len(lines) // possible)  # no pair twice before every pair came once
    assert plan == make_plan(dict(reversed(efs.items())), appearance[::-1], n, **arguments)


@settings(deadline=None)
@given(sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 20)), min_size=1, max_size=20), share=st.floats(0, 1))
def test_sharing_out_is_exact_and_fair(sizes, share):
    strata, limits = (np.array(column) for column in zip(*sizes, strict=True))
    total = int(share * limits.sum())
    counts = share_out(strata, limits, total)
    assert counts.sum() == total and (counts <= limits).all() and (counts >= 0).all()
    quotas = {code: (counts[strata == code].sum(), limits[strata == code].sum()) for code in set(strata)}
    unfilled = [count for count, limit in quotas.values() if count < limit]
    if unfilled:
        assert max(count for count, _ in quotas.values()) <= min(unfilled) + 1
    for code in quotas:
        inside = [
            count for count, limit in zip(counts[strata == code], limits[strata == code], strict=True) if count < limit
        ]
        if inside:
            assert counts[strata == code].max() <= min(inside) + 1


def test_hearts_are_used_evenly():
    plan = fake_plan(1000, hearts=100)
    lines = plan.lines + plan.reserve
    for key in ("motion_donor", "appearance_donor"):
        counts = Counter(getattr(line, key) for line in lines).values()
        assert len(counts) == 100 and max(counts) - min(counts) <= 4, key


def test_uniform_balance_fills_the_rare_low_ef():
    efs = donors(400)
    shares = {}
    for balance in ("natural", "uniform"):
        plan = make_plan(efs, list(efs), 2000, balance=balance)
        shares[balance] = np.mean([efs[line.motion_donor] < 35 for line in plan.lines])
    rare = np.mean([ef < 35 for ef in efs.values()])
    assert rare < 0.12 and abs(shares["natural"] - rare) < 0.02
    assert shares["uniform"] > 3 * rare


def test_a_video_can_be_paired_with_itself_alone():
    efs = donors(40)
    plan = make_plan(efs, [*efs, "other"], 100, pairs="self", reserve=0.1)
    lines = plan.lines + plan.reserve
    assert len(lines) == 110 and all(line.motion_donor == line.appearance_donor for line in lines)
    uses = Counter(line.motion_donor for line in lines).values()
    assert len(uses) == 40 and max(uses) - min(uses) <= 1 and len({line.seed for line in lines}) == 110
    even = make_plan(efs, list(efs), 200, pairs="self", balance="uniform")
    strata = Counter(efs[line.motion_donor] // 5 for line in even.lines + even.reserve).values()
    assert max(strata) - min(strata) <= 1
    assert dict(plan.settings)["pairs"] == "self" and "pairs" not in dict(make_plan(efs, list(efs), 3).settings)


def test_a_video_can_be_a_partner_of_itself_like_any_other():
    efs = dict.fromkeys("abcd", 50.0)
    pairs = Counter(
        (one.motion_donor, one.appearance_donor) for one in make_plan(efs, list(efs), 16, pairs="any", reserve=0).lines
    )
    assert len(pairs) == 16 and set(pairs.values()) == {1}, "every pair once, the four of one video among them"
    assert all(one.motion_donor != one.appearance_donor for one in make_plan(efs, list(efs), 12).lines)


def test_a_part_of_a_plan_is_a_fair_sample_of_it():
    efs = donors(200)
    lines = make_plan(efs, list(efs), 2000).lines
    part, whole = (np.array([efs[line.motion_donor] for line in some]) for some in (lines[:400], lines))
    assert abs(part.mean() - whole.mean()) < 2 and abs(part.std() - whole.std()) < 2


def test_plans_of_other_settings_share_no_id():
    ids = [line.clip_id for seed in range(3) for n in (10, 20) for line in fake_plan(n, seed=seed).lines]
    assert len(set(ids)) == len(ids)


def test_save_and_load(tmp_path):
    plan = fake_plan(20)
    plan.save(tmp_path / "plan.jsonl")
    assert Plan.load(tmp_path / "plan.jsonl") == plan


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_changed_plan_file_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("plan") / "plan.jsonl"
    fake_plan(5).save(path)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert Plan.load(path).lines == fake_plan(5).lines  # the byte was the same, or white space
    except EchoAugmentError as error:
        assert "plan.jsonl is damaged" in str(error)


@settings(deadline=None)
@given(data=st.data())
def test_what_remains(data):
    plan = fake_plan(12)
    lines = plan.lines + plan.reserve
    states = data.draw(
        st.lists(st.sampled_from(["open", "sealed", "rejected"]), min_size=len(lines), max_size=len(lines))
    )
    sealed, rejected = (
        {line.clip_id for line, state in zip(lines, states, strict=True) if state == wanted}
        for wanted in ("sealed", "rejected")
    )
    ids = [line.clip_id for line in plan.remaining(sealed, rejected)]
    assert len(set(ids)) == len(ids) and not set(ids) & (sealed | rejected)
    spare = len(lines) - len(rejected)
    if len(sealed) <= 12 and all(line.clip_id in sealed for line in plan.lines if line.clip_id not in rejected):
        assert len(sealed) + len(ids) == min(12, spare)
    assert {line.clip_id for line in plan.lines} <= set(ids) | sealed | rejected


def test_shares_are_the_plan():
    plan = fake_plan(11)
    shares = [plan.share(rank, 3) for rank in range(3)]
    assert sorted(line.clip_id for share in shares for line in share.lines) == [line.clip_id for line in plan.lines]
    assert sum(len(share.reserve) for share in shares) == len(plan.reserve)
    with pytest.raises(EchoAugmentError, match=r"rank must be in 0\.\.2, got 3"):
        plan.share(3, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"motion_donors": {}}, "got 0 of motion"),
        ({"appearance_donors": []}, "0 of appearance"),
        ({"motion_donors": {"a": float("nan")}}, "'a' has an EF of nan"),
        ({"motion_donors": {"a": 101.0}}, "101.0"),
        ({"appearance_donors": ["a", "a"]}, "'a' is listed twice"),
        ({"n": 0}, "got 0"),
        ({"balance": "even"}, "natural, uniform, got 'even'"),
        ({"reserve": -1}, "got -1"),
        ({"pairs": "same"}, "others, any, self, got 'same'"),
        ({"pairs": "self", "appearance_donors": ["b"]}, "'a' is no appearance donor"),
    ],
)
def test_bad_arguments(values, message):
    with pytest.raises(EchoAugmentError, match=message):
        make_plan(**({"motion_donors": {"a": 50.0}, "appearance_donors": ["a", "b"], "n": 3} | values))
