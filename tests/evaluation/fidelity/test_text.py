"""The fidelity report as Markdown."""

from fakes.fidelity import CURVE, adherence_of

from echo_augment.evaluation.fidelity.beats import phase_errors
from echo_augment.evaluation.fidelity.strength import Calibration, Strength
from echo_augment.evaluation.fidelity.text import curve_text, phase_text, strength_text


def test_the_curve_names_the_steps_that_are_enough():
    text = curve_text(CURVE)
    assert "**4**" in text and text.count("\n| ") == 7
    assert "| 4 | 0.795 | 5.00 | 21.00 | 0.600 | 0.250 | 0.200 |" in text


def test_phases_are_told_with_quartiles():
    text = phase_text({"traced": phase_errors([(2.0, 20.0)] * 3)})
    assert "traced (3 videos)" in text and "ED median 2.0 (quartiles 2.0 to 2.0), 90 % 2.0, 100 % within 3" in text
    assert "ES median 20.0" in text and text.endswith("0 % within 3")


def test_every_strength_has_a_line():
    label = Calibration(slope=0.5, intercept=1.0, label_r2=0.9, label_mae=2.0)
    rows = [
        Strength(what=what, factor=factor, steps=steps, mean=25.0, adherence=adherence_of(0.5), calibration=label)
        for what, factor, steps in (("amplitude", 0.5, 0), ("guidance", 1.5, 1))
    ]
    text = strength_text(rows)
    assert "| amplitude 0.5 | 0 | 25.0 |" in text and "| guidance 1.5 | 1 | 25.0 |" in text
