"""What makes a phrase an answer: the weights of answer/weighing.py, fitted to documents whose answers are known.

The weights are those that make the right phrases of each question likeliest among all of its phrases, and no farther
from those that were there before than pays. Give documents of training sets alone, never such as recall is measured
with. Knows nothing about where they come from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dmdoc.answer.recall import Inquiry, recall_all
from dmdoc.answer.weighing import Measures
from dmdoc.compare.cases import Cases
from dmdoc.compare.scoring import exact_match
from dmdoc.errors import DmdocError
from dmdoc.model.reader import Reader
from dmdoc.settings.generation import GenerationSettings

BEFORE = Measures(
    likelihood=1.0,
    rank=1.6,
    words=-0.55,
    distance=-4.2,
    kind=1.4,
    whole=0.7,
    echo=-1.6,
    noun=1.8,
    covers=4.8,
    label=4.0,
    opposed=-2.0,
)
"""What the weights are held to: fitted to 49 questions, the last two set by hand."""

PULL = 0.01
"""What a square of the way from there costs, in nats a question: of 0 to 0.1 the best on documents left out."""

ROUNDS = 100
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
    measures = pad_sequence([each.measures for each in known], batch_first=True)
    right = pad_sequence([each.right for each in known], batch_first=True)
    there = pad_sequence([torch.ones_like(each.right) for each in known], batch_first=True)
    before = torch.tensor(list(BEFORE))
    weights = before.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([weights], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        said = measures @ weights  # [questions, phrases]
        nats = _total(said, there) - _total(said, right)
        total = nats.mean() + PULL * (weights - before).square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    fitted = weights.detach()
    if fitted[0] <= 0:
        raise DmdocError(
            "the likelihoods under the states tell nothing about these answers; ask about more documents"
        )
    return Measures(*(round(weight, 2) for weight in (fitted / fitted[0]).tolist()))


def _total(said: Tensor, chosen: Tensor) -> Tensor:
    """float32 `[questions]`: what the chosen phrases weigh together, as a logarithm."""
    return said.masked_fill(~chosen, -torch.inf).logsumexp(1)
