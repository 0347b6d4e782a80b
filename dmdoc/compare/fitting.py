"""A judge's weights: logistic regressions over signals, with scikit-learn, and thresholds that make words of them.

Probabilities are Platt-scaled on documents that each regression was not fitted on. Knows nothing about models or
documents.
"""

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmdoc.errors import DmdocError
from dmdoc.memory.judges import Judge, Logistic

ANSWERABLE = ("words", "names", "match")
"""The signals that tell whether a document answers a question at all."""

RIGHT = (
    "words",
    "names",
    "likelihood",
    "agreement",
    "fits",
    "label",
    "covers",
    "said",
    "beside",
    "lead",
    "outweighs",
    "margin",
    "rank",
    "noun",
    "echo",
    "length",
    "counts",
    "places",
)
"""Those that tell whether the answer is right."""

OWN = 2 / 3
"""The share of questions that their document answers, for which probabilities are made: one in three is foreign."""

KEPT = 0.8
"""The share of the right answers that is likely or sure, on what the threshold is chosen on."""

PRESENT = 0.98
"""The share of the right answers whose document is not said to be silent, likewise."""

SURE = 0.9
"""The share of the sure answers that is right, likewise, and the least probability of one."""

FEWEST_SURE = 10
"""Answers that this share is counted on."""

FOLDS = 8


def fit_judge(
    rows: Sequence[Mapping[str, float]],
    right: Sequence[bool],
    own: Sequence[bool],
    documents: Sequence[str],
    sentences: Sequence[bool] = (),
    lowered: Sequence[bool] = (),
) -> Judge:
    """A judge of answers whose signals, rightness, kind of question and document are known.

    Args:
        sentences: which of them are whole sentences: those are judged by whether the document answers, and say
            nothing of the others; none if empty.
        lowered: which of them are likely at no probability; none if empty.

    Raises:
        DmdocError: scikit-learn is missing, or there are too few answers to fit anything to.
    """
    if len(set(documents)) < FOLDS or min(sum(right), sum(own), len(own) - sum(own)) < FOLDS:
        raise DmdocError(
            f"too few answers to learn from: {len(right)} about {len(set(documents))} documents, {sum(right)} of them "
            f"right; ask about more"
        )
    answers = np.array(own)
    weights = np.where(answers, OWN / answers.mean(), (1 - OWN) / (1 - answers.mean()))
    answerable, present = _fitted(rows, ANSWERABLE, answers, documents, weights)
    chosen = ~np.array(sentences) if len(sentences) else np.full(len(rows), True)
    present, good = present[chosen], np.array(right)[chosen]
    judged, probability = _fitted(
        list(compress(rows, chosen)), RIGHT, good, list(compress(documents, chosen)), weights[chosen]
    )
    floor = float(np.quantile(present[good], 1 - PRESENT))
    free = ~np.array(lowered)[chosen] if len(lowered) else np.full(len(good), True)
    kept = np.sort(probability[good & free & (present >= floor)])
    wanted = min(len(kept), round(KEPT * int(good.sum())))
    likely = float(kept[len(kept) - wanted])
    return Judge(answerable, judged, round(floor, 4), round(likely, 2), _sure(probability, good, likely))


def _sure(probability: NDArray[np.float64], right: NDArray[np.bool_], likely: float) -> float:
    """The least probability from which on SURE of the answers are right, and at least SURE itself.

    What is easy would else carry what is hard: of answers about generated forms more are right than so many, of those
    about paragraphs fewer.
    """
    order = np.argsort(-probability)
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = [at for at in range(FEWEST_SURE - 1, len(order)) if shares[at] >= SURE]
    least = float(probability[order[enough[-1]]]) if enough else SURE
    return round(max(likely, SURE, least), 4)


def _fitted(
    rows: Sequence[Mapping[str, float]],
    names: Sequence[str],
    truth: NDArray[np.bool_],
    documents: Sequence[str],
    counts: NDArray[np.float64],
) -> tuple[Logistic, NDArray[np.float64]]:
    """The regression, and the probabilities that others like it give to documents that they were not fitted on.

    Args:
        counts: how much each answer counts.
    """
    try:
        from sklearn.model_selection import GroupKFold
    except ImportError as error:
        raise DmdocError("scikit-learn is missing; pip install 'dmdoc[calibrate]'") from error
    values = np.array([[row[name] for name in names] for row in rows])
    centre, spread = values.mean(0), values.std(0)
    spread[spread == 0] = 1.0
    scaled = (values - centre) / spread
    raw = np.zeros(len(truth))
    for train, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(scaled, truth, documents):
        raw[test] = _regression(scaled[train], truth[train], counts[train]).decision_function(scaled[test])
    platt = _regression(raw[:, None], truth, counts, C=1e6)
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    whole = _regression(scaled, truth, counts)
    weights = slope * whole.coef_[0] / spread
    bias = slope * float(whole.intercept_[0]) + shift - float(weights @ centre)
    kept = {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}
    probability: NDArray[np.float64] = platt.predict_proba(raw[:, None])[:, 1]
    return Logistic(round(bias, 4), kept), probability


def _regression(
    values: NDArray[np.float64], truth: NDArray[np.bool_], counts: NDArray[np.float64], C: float = 1.0
) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C).fit(values, truth, sample_weight=counts)
