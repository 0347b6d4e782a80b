"""What makes a phrase an answer: the weights of answer/weighing.py, fitted to documents whose answers are known.

The weights are those that make the right phrases of each question likeliest among all of its phrases. Give documents of
training sets alone, never such as recall is measured with. Knows nothing about where they come from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dmdoc.answer.recall import Inquiry, recall_all
from dmdoc.answer.weighing import WEIGHTS, Measures
from dmdoc.compare.cases import Cases
from dmdoc.compare.scoring import exact_match
from dmdoc.errors import DmdocError
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

RIDGE = 0.002
"""What a square of a weight costs, in nats a question."""

ROUNDS = 300
"""Of the fit, at most."""


@dataclass(frozen=True)
class Choices:
    """The phrases that a question could be answered with."""

    measures: Tensor
    """float32 `[phrases, measures]`, in the order of Measures."""
    right: Tensor
    """bool `[phrases]`: a right answer but for case, articles and punctuation."""


def choices(cases: Cases, reader: Reader, *, settings: GenerationSettings) -> Iterator[Choices]:
    """Of every question that a phrase could answer the phrases that the model read."""
    for number, document in enumerate(cases.documents):
        state, text = cases.state(number), partial(tuple[str, ...], document.sections)
        inquiries = [Inquiry(asked.question, state, text) for asked in document.questions]
        found = recall_all(inquiries, reader, settings=settings, mode="spans")
        for asked, recalled in zip(document.questions, found, strict=True):
            if recalled.choice is None or not recalled.choice.read:
                continue
            measures = torch.tensor([list(span.measures) for span in recalled.choice.read])
            right = [
                any(exact_match(span.text, answer) for answer in asked.answers)
                for span in recalled.choice.read
            ]
            yield Choices(measures, torch.tensor(right))


def fit_weights(found: Sequence[Choices]) -> Measures:
    """The weights that make the right phrases likeliest, as shares of that of the likelihood.

    Raises:
        DmdocError: no question has both right and wrong phrases, or the likelihood tells nothing.
    """
    known = [each for each in found if each.right.any() and not each.right.all()]
    if not known:
        raise DmdocError(f"nothing to learn from: {len(found)} questions, none with right and wrong phrases")
    weights = torch.tensor(list(WEIGHTS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = [(each.measures @ weights, each.right) for each in known]
        nats = torch.stack([said.logsumexp(0) - said[right].logsumexp(0) for said, right in scores]).mean()
        total = nats + RIDGE * weights.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted = weights.detach()
    if fitted[0] <= 0:
        raise DmdocError(
            "the likelihoods under the states tell nothing about these answers; ask about more documents"
        )
    return Measures(*(round(weight, 2) for weight in (fitted / fitted[0]).tolist()))
