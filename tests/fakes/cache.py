"""A generator that costs nothing and whose every clip can be told again from its plan line."""

from collections.abc import Sequence

import numpy as np

from echo_augment.cache import ClipStore, EchoClip, Plan, PlanLine, Provenance, StoreWriter, make_plan, verify

FINGERPRINT = "fake-1"
SHAPE = (6, 24, 24)


def fake_clip(line: PlanLine, *, masks: bool = True, shape: tuple[int, int, int] = SHAPE) -> EchoClip:
    rng = np.random.default_rng(line.seed)
    frames = rng.integers(0, 90, shape, dtype=np.uint8)
    return EchoClip(
        clip_id=line.clip_id,
        frames=frames,
        fps=12.5,
        ef=float(rng.uniform(10, 85)),
        ed_frame=0,
        es_frame=shape[0] // 2,
        confidence=0.5,
        masks=frames > 45 if masks else None,
        provenance=Provenance(
            line.motion_donor, line.appearance_donor, line.seed, line.sampler, "fake", FINGERPRINT, extra={"tempo": 1.5}
        ),
    )


def generate(lines: Sequence[PlanLine]) -> list[EchoClip]:
    return [fake_clip(line, masks=line.seed % 3 > 0) for line in lines]


def gate(line: PlanLine, clip: EchoClip) -> str | None:
    return f"label: EF {clip.ef:.1f}" if line.seed % 11 == 0 else None


def donors(n: int) -> dict[str, float]:
    rng = np.random.default_rng(n)
    return {f"H{k:04d}": float(np.clip(rng.normal(55, 12), 12, 84)) for k in range(n)}


def fake_plan(n: int, *, hearts: int = 50, seed: int = 0, fingerprint: str = FINGERPRINT) -> Plan:
    hearts_ef = donors(hearts)
    return make_plan(hearts_ef, list(hearts_ef), n, seed=seed, sampler="fake-1", fingerprint=fingerprint)


def write_clips(folder, clips, **options) -> ClipStore:
    """Write a cache of some clips, four to a shard, and open it."""
    with StoreWriter(folder, **{"fingerprint": FINGERPRINT, "shard_clips": 4, **options}) as writer:
        for clip in clips:
            writer.add(clip)
    return ClipStore(folder)


def assert_same_clip(one: EchoClip, other: EchoClip) -> None:
    assert one.frames.tobytes() == other.frames.tobytes() and one.frames.shape == other.frames.shape
    assert (one.masks is None) == (other.masks is None)
    if one.masks is not None and other.masks is not None:
        assert np.array_equal(one.masks, other.masks)
    for key in ("clip_id", "fps", "ed_frame", "es_frame", "confidence", "provenance"):
        assert getattr(one, key) == getattr(other, key)
    assert one.ef == other.ef or (np.isnan(one.ef) and np.isnan(other.ef))


def check_complete(folder, plan, gate=None):
    """Every clip is what its line says, each once, and as many as the plan wants."""
    store = ClipStore(folder)
    lines = {line.clip_id: line for line in plan.lines + plan.reserve}
    assert len(store) == len(set(store.ids)) == len(plan.lines)
    for clip in store:
        line = lines[clip.clip_id]
        assert_same_clip(clip, generate([line])[0])
        assert gate is None or gate(line, clip) is None
    wanted = {line.clip_id for line in plan.lines if gate is None or gate(line, fake_clip(line)) is None}
    assert wanted <= set(store.ids)
    assert verify(folder) == []
