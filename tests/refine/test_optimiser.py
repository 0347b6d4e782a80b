import torch
from torch import Tensor

from dmdoc.refine.optimiser import Optimiser


def gradients(count: int, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def moved(steps: list[Tensor]) -> Tensor:
    weights = torch.zeros_like(steps[0])
    optimiser = Optimiser(weights)
    for gradient in steps:
        optimiser.step(gradient, 0.1)
    return weights


def test_turned_keys_take_the_same_steps_turned() -> None:
    steps = gradients(4, 2, 6, 6)
    turn, _ = torch.linalg.qr(gradients(1, 6, 6)[0])
    torch.testing.assert_close(
        moved([gradient @ turn for gradient in steps]), moved(steps) @ turn, rtol=1e-3, atol=1e-4
    )


def test_each_matrix_is_moved_as_it_would_be_alone() -> None:
    steps = gradients(4, 3, 6, 6)
    together = moved(steps)
    for number in range(3):
        alone = moved([gradient[number] * 10**number for gradient in steps])
        torch.testing.assert_close(together[number], alone, rtol=1e-3, atol=1e-4)


def test_what_all_gradients_share_leaves_room_for_what_they_do_not() -> None:
    shared, own = torch.ones(6) / 6**0.5, torch.tensor([1.0, -1, 1, -1, 1, -1]) / 6**0.5
    wanted = zip(gradients(8, 6), reversed(gradients(16, 6)), strict=False)
    step = moved([torch.outer(of_all, 10 * shared) + torch.outer(of_one, own) for of_all, of_one in wanted])
    assert float((step @ own).norm()) > 0.3 * float((step @ shared).norm())


def test_rounding_in_directions_that_nothing_asks_for_is_no_step() -> None:
    (noise,) = gradients(1, 6, 6)
    gradient = torch.zeros(6, 6)
    gradient[:, 0] = 1
    moved_by = moved([gradient + 1e-6 * noise])
    assert float(moved_by[:, 0].abs().min()) > 0.05
    assert float(moved_by[:, 1:].abs().max()) < 1e-3


def test_nothing_asked_is_nothing_moved() -> None:
    assert float(moved([torch.zeros(2, 3, 3)] * 2).abs().max()) == 0
