"""What makes a phrase an answer: the weights of answer/weighing.py, fitted to documents whose answers are known.

The weights are those that make the right phrases of each question likeliest among all of its phrases, and no farther
from those that were there before than pays. Give documents of training sets alone, never such as recall is measured
with. Knows nothing about where they come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dmdoc.answer.spans import SHOWN, find_phrases
from dmdoc.answer.weighing import Measures
from dmdoc.compare.calibration import Reply
from dmdoc.compare.scoring import exact_match
from dmdoc.datasets import QuestionedDocument
from dmdoc.errors import DmdocError

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
    clause=1.0,
    linked=4.0,
    is_label=-1.0,
    pointed=0.5,
)
"""What the weights are held to: fitted to 49 questions, the last six set by hand."""

PULL = 0.003
"""What a square of the way from there costs, in nats a question: of 0.00003 to 0.003 the most whose right answers on
documents left out are within a standard error of the best (820 of 1,266, and 834)."""

ROUNDS = 100
"""Of the fit, at most."""


@dataclass(frozen=True)
class Choices:
    """The phrases that a question could be answered with."""

    measures: Tensor
    """float32 `[phrases, measures]`, in the order of Measures."""
    right: Tensor
    """bool `[phrases]`: a right answer but for case, articles and punctuation."""


def phrases_of(reply: Reply) -> Choices | None:
    """The phrases that a question could be answered with; None where none was read."""
    choice = reply.recalled.choice
    if choice is None or not choice.read:
        return None
    right = [any(exact_match(span.text, answer) for answer in reply.posed.answers) for span in choice.read]
    return Choices(torch.tensor([list(span.measures) for span in choice.read]), torch.tensor(right))


def measured_again(reply: Reply, document: QuestionedDocument) -> Reply:
    """The reply as the measures and weights of today choose it among the phrases that the model has read."""
    choice = reply.recalled.choice
    if choice is None or not choice.read:
        return reply
    known = {span.text: span for span in choice.read}
    spans = tuple(
        replace(
            known[candidate.text],
            candidate=candidate,
            statement=statement,
            measures=measures._replace(
                likelihood=known[candidate.text].log_likelihood,
                pointed=known[candidate.text].measures.pointed,
            ),
            told=SHOWN if known[candidate.text].told > 1 else 1.0,
        )
        for statement, candidate, measures in find_phrases(reply.posed.question, document.sections)
        if candidate.text in known
    )
    best = max(spans or choice.read, key=lambda span: span.score)
    recalled = replace(
        reply.recalled,
        answer=replace(reply.recalled.answer, text=best.text),
        choice=replace(choice, span=best, read=spans or choice.read),
    )
    return replace(reply, recalled=recalled)


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
