import pytest
import torch

from dmdoc.model.decoder import Norm
from dmdoc.model.frozen_norm import frozen_norm


@pytest.mark.parametrize(("dtype", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_it_gives_what_torch_gives_and_so_are_its_gradients(dtype: torch.dtype, allowed: float) -> None:
    torch.manual_seed(0)
    norm = torch.nn.RMSNorm(24, eps=1e-3).requires_grad_(False)
    norm.weight.normal_()
    # What torch makes of the same numbers in float32.
    hidden, direction = torch.randn(2, 5, 24).to(dtype), torch.randn(2, 5, 24).to(dtype)
    own, exact = hidden.clone().requires_grad_(), hidden.float().requires_grad_()
    found, wanted = frozen_norm(own, norm.weight.to(dtype), 1e-3), norm(exact)
    torch.testing.assert_close(found.float(), wanted, rtol=allowed, atol=allowed)
    (gradient,) = torch.autograd.grad(found, own, direction)
    (expected,) = torch.autograd.grad(wanted, exact, direction.float())
    torch.testing.assert_close(gradient.float(), expected, rtol=allowed, atol=2 * allowed)


def test_a_norm_that_learns_gets_its_gradient() -> None:
    norm = Norm(8, eps=1e-5)
    torch.nn.init.ones_(norm.weight)
    norm(torch.randn(3, 8).requires_grad_()).sum().backward()
    assert norm.weight.grad is not None
