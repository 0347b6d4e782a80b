from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from dmdoc.memory.delta_rule import CHUNK, delta_rule, delta_rule_chunked, delta_rule_recurrent

Form = Callable[..., tuple[Tensor | None, Tensor]]
dispatched: Form = delta_rule
chunked_form: Form = delta_rule_chunked
formula_form: Form = delta_rule_recurrent
LENGTHS = sorted({1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 31, 32, 33, 63, 97, 100})
NAMES = ("queries", "keys", "values", "keep", "erase", "write", "state")


@pytest.fixture(autouse=True)
def few_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps of short texts are paired, too, as those of long ones are."""
    monkeypatch.setattr("dmdoc.memory.delta_rule.IN_TURN", 2)


def random_scan(
    time: int, *, rows: bool = True, batch: int = 2, heads: int = 3, rank: int = 4, seed: int = 0
) -> list[Tensor]:
    """The arguments of a scan in float64, all needing gradients, from a state that is not zero."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    q, k, v = (normal(batch, heads, time, rank) for _ in range(3))
    keep, erase, write = (normal(batch, heads, time, rank if rows else 1).sigmoid() for _ in range(3))
    state = normal(batch, heads, rank, rank)
    unit = torch.nn.functional.normalize(k, dim=-1)
    return [tensor.requires_grad_() for tensor in (q, unit, v, keep, erase, write, state)]


def masks(time: int) -> dict[str, Tensor | None]:
    """For a batch of two: none; holes in the middle; padding on the right beside a row that is all padding."""
    holes, padded = torch.ones(2, time, dtype=torch.bool), torch.zeros(2, time, dtype=torch.bool)
    holes[0, time // 3 : time // 2], holes[1, ::3] = False, False
    padded[0, : time - time // 4] = True
    return {"none": None, "holes": holes, "padded": padded}


def distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(first, second, strict=True) if a.numel())


def results(outcome: tuple[Tensor | None, Tensor]) -> list[Tensor]:
    reads, state = outcome
    return [state] if reads is None else [reads, state]


def gradients(outcome: tuple[Tensor | None, Tensor], arguments: Sequence[Tensor]) -> list[Tensor]:
    """Of a weighted sum of everything that the scan returns, by every argument."""
    weights = torch.Generator().manual_seed(9)
    parts = [
        (result * torch.randn(result.shape, generator=weights, dtype=result.dtype)).sum()
        for result in results(outcome)
    ]
    found = torch.autograd.grad(torch.stack(parts).sum(), arguments, allow_unused=True)
    return [torch.zeros(()) if gradient is None else gradient for gradient in found]


@pytest.mark.parametrize("mask", ["none", "holes", "padded"])
@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
@pytest.mark.parametrize("time", LENGTHS)
def test_the_chunked_form_equals_the_formula(time: int, rows: bool, mask: str) -> None:
    arguments = random_scan(time, rows=rows)
    chunked = chunked_form(*arguments, mask=masks(time)[mask])
    formula = formula_form(*arguments, mask=masks(time)[mask])

    assert distance(results(chunked), results(formula)) < 1e-10
    errors = {
        name: distance([fast], [slow])
        for name, fast, slow in zip(
            NAMES, gradients(chunked, arguments), gradients(formula, arguments), strict=True
        )
    }
    assert max(errors.values()) < 1e-10, errors


@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
def test_writing_without_reading_gives_the_same_state(rows: bool) -> None:
    arguments = random_scan(70, rows=rows)
    _, state = chunked_form(*arguments)
    for form in (dispatched, chunked_form, formula_form):
        reads, alone = form(None, *arguments[1:])
        assert reads is None
        assert distance([alone], [state]) < 1e-10


def test_the_formula_in_small_matrices() -> None:
    q, k, v, keep, erase, write, state = (
        tensor.detach()[0, 0] for tensor in random_scan(5, batch=1, heads=1, rank=3)
    )
    expected_reads, expected = [], state
    for t in range(5):
        expected_reads.append(expected @ q[t])
        recalled = expected @ k[t]
        expected = (
            torch.diag(keep[t]) @ expected
            - torch.diag(erase[t]) @ torch.outer(recalled, k[t])
            + torch.diag(write[t]) @ torch.outer(v[t], k[t])
        )
    for form in (formula_form, chunked_form):
        reads, final = form(
            *(x[None, None] for x in (q, k, v, keep, erase, write)),
            state=state[None, None],
        )
        assert reads is not None
        assert distance([reads[0, 0], final[0, 0]], [torch.stack(expected_reads), expected]) < 1e-12


def test_one_token_worked_by_hand() -> None:
    """S = [[1, 2], [3, 4]], k = (0.6, 0.8), v = (1, −1), β = (0.5, 0.25), λ = 1 − β; S k = (2.2, 5)."""
    row = [torch.tensor([[[values]]]) for values in ([1.0, 1.0], [0.6, 0.8], [1.0, -1.0])]
    write = torch.tensor([[[[0.5, 0.25]]]])
    reads, state = dispatched(*row, 1 - write, write, write, torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))

    assert reads is not None
    torch.testing.assert_close(reads, torch.tensor([[[[3.0, 7.0]]]]))
    by_hand = [[0.5 - 1.1 * 0.6 + 0.5 * 0.6, 1 - 1.1 * 0.8 + 0.5 * 0.8]]
    by_hand += [[2.25 - 1.25 * 0.6 - 0.25 * 0.6, 3 - 1.25 * 0.8 - 0.25 * 0.8]]
    torch.testing.assert_close(state, torch.tensor([[by_hand]]))


def test_what_was_written_with_full_strength_is_read_back_exactly() -> None:
    key, value = torch.tensor([[[[0.6, 0.8]]]]), torch.tensor([[[[5.0, -7.0]]]])
    one = torch.ones(1, 1, 1, 2)
    _, state = dispatched(None, key, value, one, one, one, torch.randn(1, 1, 2, 2))

    torch.testing.assert_close(state @ key[0, 0, 0], value[:, :, 0])


@pytest.mark.parametrize("reads", [True, False])
def test_a_text_of_several_blocks_is_one_scan(reads: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [tensor.detach() for tensor in random_scan(100)]
    mask = masks(100)["holes"]
    given = arguments if reads else [None, *arguments[1:]]
    whole = results(chunked_form(*given, mask=mask))
    monkeypatch.setattr("dmdoc.memory.delta_rule.BLOCK", 33)

    assert distance(results(dispatched(*given, mask=mask)), whole) < 1e-10


@pytest.mark.parametrize("cut", [1, 16, 40, 99])
def test_two_halves_are_one_scan(cut: int) -> None:
    *tokens, state = (tensor.detach() for tensor in random_scan(100))
    reads, final = dispatched(*tokens, state=state)
    first, between = dispatched(*(x[:, :, :cut] for x in tokens), state=state)
    second, after = dispatched(*(x[:, :, cut:] for x in tokens), state=between)

    assert reads is not None and first is not None and second is not None
    assert distance([torch.cat((first, second), dim=2), after], [reads, final]) < 1e-10


def test_a_masked_token_reads_zero_and_leaves_no_trace() -> None:
    arguments = [tensor.detach() for tensor in random_scan(50)]
    mask = masks(50)["padded"]
    assert mask is not None
    reads, state = dispatched(*arguments, mask=mask)
    changed = [x.masked_fill(~mask[:, None, :, None], 0.5) for x in arguments[:-1]]
    same_reads, same_state = dispatched(*changed, state=arguments[-1], mask=mask)

    assert reads is not None and same_reads is not None
    assert torch.equal(reads, same_reads) and torch.equal(state, same_state)
    assert not reads[1].any() and not reads[0, :, 38:].any()
    assert torch.equal(state[1], arguments[-1][1])


@pytest.mark.parametrize("form", [dispatched, chunked_form, formula_form])
def test_no_time_at_all(form: Form) -> None:
    arguments = random_scan(0)
    reads, state = form(*arguments)

    assert reads is not None and reads.shape == (2, 3, 0, 4)
    assert torch.equal(state, arguments[-1])
    assert form(None, *arguments[1:])[0] is None


@pytest.mark.parametrize("keep", [0.0, 1.0])
@pytest.mark.parametrize("rows", [True, False], ids=["row gates", "head gates"])
def test_gates_that_keep_nothing_or_everything(rows: bool, keep: float) -> None:
    arguments = [tensor.detach().float() for tensor in random_scan(67, rows=rows)]
    arguments[3] = torch.full_like(arguments[3], keep)
    for tensor in arguments:
        tensor.requires_grad_()
    chunked, formula = chunked_form(*arguments), formula_form(*arguments)

    assert distance(results(chunked), results(formula)) < 1e-4
    assert all(gradient.isfinite().all() for gradient in gradients(chunked, arguments))


@pytest.mark.parametrize("logit", [-200.0, -30.0, 16.0, 30.0, 200.0])
def test_saturated_gates_give_finite_and_equal_gradients(logit: float) -> None:
    """As an adapter makes them: β = sigmoid(logit), λ = 1 − β, in float32, some tokens saturated and some not."""
    q, k, v, *_, state = (tensor.detach().float() for tensor in random_scan(50))
    found = []
    for form in (chunked_form, formula_form):
        logits = torch.linspace(-2, 2, 2 * 3 * 50 * 4).reshape(2, 3, 50, 4)
        logits[:, :, ::3] = logit
        beta = logits.requires_grad_().sigmoid()
        outcome = form(q, k, v, 1 - beta, beta, beta, state)
        found.append([*results(outcome), *gradients(outcome, [logits])])

    assert all(tensor.isfinite().all() for tensor in found[0])
    assert distance(found[0], found[1]) < 1e-3


def test_a_long_fade_does_not_overflow() -> None:
    """Γ falls below the smallest float32 inside one chunk; the ratios that are needed stay ordinary."""
    q, k, v, *_, state = (tensor.detach().float() for tensor in random_scan(200))
    beta = torch.full((2, 3, 200, 4), 1 - 1e-6)
    chunked = chunked_form(q, k, v, 1 - beta, beta, beta, state)
    formula = formula_form(q, k, v, 1 - beta, beta, beta, state)

    assert distance(results(chunked), results(formula)) < 1e-5
