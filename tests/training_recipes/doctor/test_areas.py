"""The areas, one by one; all that they find is tried through the job, in ``jobs/test_doctor.py``."""

from echo_augment.training_recipes.common.dataset import FolderSettings
from echo_augment.training_recipes.doctor.areas import dataset, generator, generator_folder, machine


def test_a_machine_is_described(tmp_path):
    facts, findings = machine(tmp_path / "not" / "there")
    assert facts["cores"] >= 1 and facts["disk_free_gb"] > 0 and facts["versions"]["torch"]
    assert {one.area for one in findings} <= {"machine"}


def test_a_folder_that_is_not_there_is_one_finding(tmp_path):
    root = str(tmp_path / "missing")
    _, findings = dataset(root, FolderSettings(root=root), decode=False)
    assert [one.level for one in findings] == ["error"] and "missing" in findings[0].message
    _, findings = generator(root)
    assert [one.kind for one in findings] == ["folder"] and "no such folder" in findings[0].message


def test_the_bundled_generator_has_a_folder():
    assert (generator_folder("bundled") / "model_index.json").is_file()
