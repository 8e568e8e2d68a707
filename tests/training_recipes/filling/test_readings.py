"""What gates measured is kept beside the cache."""

from echo_augment.training_recipes.filling.readings import Readings, spread


def test_readings_outlive_a_kill_and_count_a_clip_once(tmp_path):
    for rank in range(2):
        readings = Readings(tmp_path, rank=rank, world=2)
        readings.add(f"c{rank}", nearest_other=0.5, motion=float("nan"))
        readings.close()
    again = Readings(tmp_path, rank=1, world=2)
    again.add("c1", nearest_other=0.25)
    with (tmp_path / "readings-0-of-2.jsonl").open("ab") as file:
        file.write(b'{"clip_id": "torn')
    assert again.columns() == {"nearest_other": {"c0": 0.5, "c1": 0.25}}
    assert spread([]) == {"n": 0} and spread([1.0, 3.0])["q50"] == 2.0
