"""The page of deviations says what the settings of preset ``paper`` say."""

from pathlib import Path

from echo_augment.evaluation.studies.deviations import REFERENCE, WHY, differences, main, page, paper

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "deviations.md"


def test_the_page_is_as_the_settings_are():
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m echo_augment.evaluation.studies.deviations PAGE"


def test_every_difference_has_its_reason_and_every_reason_its_difference():
    assert set(differences()) == set(WHY)


def test_every_setting_of_the_reference_is_one_of_the_preset():
    assert [path for path, value in paper().items() if value is None] == []


def test_what_was_asked_for_is_the_references():
    asked = (
        "frames", "rate", "sampler", "sampler_steps", "detail", "codec.channels", "codec.attention", "codec.images",
        "codec.gan_start", "denoiser.absolute", "denoiser.reference", "denoiser.clip_range", "denoiser.spacing",
        "denoiser.offset_each", "denoiser.drop", "denoiser.schedule", "denoiser.warmup",
    )  # fmt: skip
    assert set(asked) <= set(REFERENCE) and not set(asked) & set(differences())
    assert REFERENCE["codec.kl"] == 2.0833e-8 and abs(1e-6 * (4 * 14 * 14) / (3 * 112 * 112) - 2.0833e-8) < 1e-11


def test_the_command_writes_the_page_or_says_what_is_wrong(tmp_path, capsys):
    assert main([]) == main(["a", "b"]) == 2
    assert main([str(tmp_path)]) == 1 and str(tmp_path) in capsys.readouterr().err
    assert main([str(tmp_path / "page.md")]) == 0 and (tmp_path / "page.md").read_text(encoding="utf-8") == page()
