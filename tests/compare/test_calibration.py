import random

import pytest

from dmdoc.answer.support import Support
from dmdoc.compare.calibration import Calibration, Judged, Side, calibrate, card_with_support, sides
from dmdoc.errors import DmdocError


def answer(document: str, likelihood: float, right: bool, *, lift: float = 1.0) -> Judged:
    return Judged(document, Support(likelihood, lift), right)


def answers_of(documents: int, *, parted_at: float | None, seed: int = 0) -> list[Judged]:
    """Four answers a document with likelihoods from -4 to 0: above `parted_at` most are right, below it few."""
    generator = random.Random(seed)
    answers = []
    for number in range(documents * 4):
        likelihood = generator.uniform(-4, 0)
        chance = 0.3 if parted_at is None else 0.6 if likelihood >= parted_at else 0.1
        answers.append(answer(f"document {number // 4}", likelihood, generator.random() < chance))
    return answers


def test_the_threshold_lies_where_right_answers_begin() -> None:
    answers = answers_of(60, parted_at=-1.5)
    found = calibrate(answers)
    assert -1.8 < found.threshold < -1.2
    assert found.supported.rate >= 2 * found.unsupported.rate


def test_the_figures_are_of_documents_that_it_was_not_chosen_on() -> None:
    answers = answers_of(61, parted_at=-2.0)
    found = calibrate(answers, seed=3)
    assert found.chosen_on == 30 * 4
    assert found.supported.answers + found.unsupported.answers == 31 * 4
    assert calibrate(answers, seed=3) == found
    assert calibrate(answers, seed=4) != found


def test_a_likelihood_that_says_nothing_sets_no_threshold() -> None:
    with pytest.raises(DmdocError, match="no threshold was set"):
        calibrate(answers_of(200, parted_at=None))


def test_a_threshold_that_fails_on_other_documents_is_not_kept() -> None:
    parted = [answer("parted", likelihood, likelihood > -5) for likelihood in range(-10, 0)]
    wrong = [answer("wrong", likelihood, False) for likelihood in range(-10, 0)]
    messages = set()
    for seed in range(10):
        with pytest.raises(DmdocError) as raised:
            calibrate(parted + wrong, seed=seed)
        messages.add(str(raised.value).split(";")[0])
    assert messages == {
        "no threshold was set: of answers with a likelihood of -4.50 nats a token or more, 0 of 4 right (0%) on other "
        "documents, of those below 0 of 6 right (0%)",
        "no threshold was set: of 10 answers 0 are right, and no likelihood parts them from the wrong ones",
    }


def test_too_little_to_choose_on() -> None:
    with pytest.raises(DmdocError, match="ask about more than one"):
        calibrate([answer("only", -1.0, True)] * 9)
    with pytest.raises(DmdocError, match=r"of 4 answers 0 are right"):
        calibrate([answer(f"document {number // 4}", -number, False) for number in range(8)])


def test_what_has_the_threshold_and_is_lifted_is_supported() -> None:
    answers = [answer("one", -1.0, True), answer("one", -1.5, False), answer("two", -2.0, True)]
    assert sides(answers, -1.5) == (Side(2, 1), Side(1, 1))
    assert sides(answers, 0.0) == (Side(0, 0), Side(3, 2))
    unlifted = [answer("one", -1.0, True, lift=0.0)]
    assert sides(unlifted, -1.5) == (Side(0, 0), Side(1, 1))


def test_a_card_says_it_before_its_limits_and_once() -> None:
    card = "# Adapter\n\n## Figures\n\nGood.\n\n## Limits\n\n- Few.\n"
    first = card_with_support(card, Calibration(-1.5, 80, Side(20, 10), Side(60, 3)), "dev.jsonl")
    assert first == (
        "# Adapter\n\n## Figures\n\nGood.\n\n## Support\n\n"
        "An answer counts as supported by the state that lifts it and makes it likely: -1.50 nats a token or more. "
        "Chosen on 80 answers about half of the documents (dev.jsonl); on the other half:\n\n"
        "| | answers | right |\n|---|---|---|\n| supported | 20 | 50% |\n| not supported | 60 | 5% |\n"
        "\n## Limits\n\n- Few.\n"
    )
    second = card_with_support(first, Calibration(-2.5, 90, Side(10, 9), Side(60, 6)), "other.jsonl")
    assert second.count("## Support") == 1
    assert "-2.50" in second and "-1.50" not in second
    assert second.endswith("| not supported | 60 | 10% |\n\n## Limits\n\n- Few.\n")
