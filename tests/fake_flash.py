"""FlashAttention 2 for a processor: the one function of it that dmdoc calls, as PyTorch's attention text by text."""

from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class FakeFlash(ModuleType):
    """Put it into `sys.modules`."""

    def __init__(self) -> None:
        super().__init__("flash_attn")
        self.bounds: list[list[int]] = []
        """Of each call: where its texts begin and end."""

    def flash_attn_varlen_func(
        self, q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor,
        max_seqlen_q: int, max_seqlen_k: int, dropout_p: float = 0.0, softmax_scale: float | None = None,
        causal: bool = False, **options: Any,
    ) -> Tensor:  # fmt: skip
        """`[tokens, heads, size]`, fewer heads of k and v, and int32 bounds `[texts + 1]` → as q."""
        assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32 and not options
        bounds, of_keys = cu_seqlens_q.tolist(), cu_seqlens_k.tolist()
        assert bounds == of_keys and bounds[0] == 0 and bounds[-1] == len(q) == len(k) == len(v)
        lengths = [end - start for start, end in pairwise(bounds)]
        assert max_seqlen_q == max_seqlen_k == max(lengths)
        self.bounds.append(bounds)
        texts = [torch.split(each.transpose(0, 1), lengths, 1) for each in (q, k, v)]
        seen = [
            functional.scaled_dot_product_attention(
                queries,
                keys,
                values,
                dropout_p=dropout_p,
                is_causal=causal,
                scale=softmax_scale,
                enable_gqa=True,
            )
            for queries, keys, values in zip(*texts, strict=True)
        ]
        return torch.cat(seen, 1).transpose(0, 1)
