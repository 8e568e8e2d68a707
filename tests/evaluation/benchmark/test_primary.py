"""Holm's correction over the questions that were declared primary."""

from echo_augment.evaluation.benchmark.primary import correct_family
from echo_augment.evaluation.report.content import PrimaryAnswer
from echo_augment.evaluation.statistics.results import Contrast


def answered(number: int, p: float | None) -> PrimaryAnswer:
    ci = None if p is None else (-1.0, 2.0)
    cell = Contrast(diff=0.5, ci=ci, p=p, detectable=1.0)
    return PrimaryAnswer(number=number, question="", pair="a-b", labelled=16, videos=40, contrast=cell)


def test_the_family_is_ordered_and_corrected_over_those_that_have_a_p():
    found = correct_family([answered(3, 0.01), answered(1, 0.04), answered(2, None)])
    assert [one.number for one in found] == [1, 2, 3]
    assert [one.contrast.p_holm for one in found] == [0.04, None, 0.02]
    assert [one.contrast.tests for one in found] == [2, None, 2]


def test_a_family_that_is_corrected_again_with_more_questions_forgets_the_first_correction():
    few = correct_family([answered(1, 0.04)])
    more = correct_family([*few, answered(2, 0.03), answered(3, 0.9)])
    assert [one.contrast.p_holm for one in more] == [0.09, 0.09, 0.9]
