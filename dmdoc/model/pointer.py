"""A small network that points at the words of a text which answer a question.

It sees a text as a vector for each token, made once, while the text is written into the state, of what enters a few
layers of the frozen model; and a question likewise. A few layers of attention over both, in both directions, say how
likely an answer begins and ends at each token, or that the text has none (a pointer network after Match-LSTM, arXiv
1608.07905, and the "no answer" of arXiv 1806.03822). Knows nothing about documents or phrases.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from dmdoc.errors import AdapterError

POINTER = "pointer.safetensors"
"""The file of its weights, beside those of an adapter."""

STEP = 1 / 32
"""The size of one int8 step; the numbers of a vector have a root mean square of 1."""

MOST_LAYERS = 64
LARGEST = 16_384
"""Layers of a network, and its other sizes: what a stranger's file claims is believed no further."""

FINGERPRINT = 16
"""Hexadecimal digits of the hash of the file, by which vectors name what made them."""

ROTARY_BASE = 1_000.0
STANDINGS = 3
"""How a token's word may stand to the question's (text/overlap.py)."""


@dataclass(frozen=True)
class PointerShape:
    """Raises:
    ValueError: a number is not above 0 or above LARGEST, the width is not a whole number of pairs for each head, or
        layers are not in order.
    """

    inputs: tuple[int, ...]
    """Layers of the model, counted from 0, in order, whose inputs it sees."""
    hidden: int
    """Numbers of such an input."""
    kept: int = 64
    """Numbers of a kept vector."""
    width: int = 128
    heads: int = 4
    layers: int = 2

    def __post_init__(self) -> None:
        sizes = (self.hidden, self.kept, self.width, self.heads, self.layers)
        if any(type(size) is not int or not 0 < size <= LARGEST for size in sizes) or self.width % (
            2 * self.heads
        ):
            raise ValueError("not the sizes of a pointer network")
        if not self.inputs or any(type(layer) is not int or layer < 0 for layer in self.inputs):
            raise ValueError("not layers of a model")
        if self.layers > MOST_LAYERS or list(self.inputs) != sorted(set(self.inputs)):
            raise ValueError("too many layers, or layers that are not in order")


class Pointed(NamedTuple):
    """Log-probabilities of one question over one text: of each token, and first that there is no answer."""

    starts: Tensor
    """float32 `[1 + tokens]`"""
    ends: Tensor


class PointerLayer(nn.Module):
    """Attention over question and text, each token sees all; then a gated feed-forward part."""

    def __init__(self, shape: PointerShape, dropout: float) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.before_attention, self.before_feed = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x `[rows, time, width]`, there bool `[rows, time]`, cos and sin `[time, head size]`."""
        rows, time, width = x.shape
        heads = self.qkv(self.before_attention(x)).view(rows, time, 3, self.heads, width // self.heads)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)
        queries, keys = (each * cos + _turned(each) * sin for each in (queries, keys))
        seen = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=there[:, None, None])
        x = x + self.dropout(self.o(seen.transpose(1, 2).reshape(rows, time, width)))
        up, gate = self.up(self.before_feed(x)).chunk(2, -1)
        output: Tensor = x + self.dropout(self.down(functional.silu(gate) * up))
        return output


class Pointer(nn.Module):
    """The network, float32.

    Args:
        fingerprint: of its weights; vectors that others made it cannot read.
        dropout: in training: of its own features, and half as much again of what it sees of the model.
    """

    def __init__(self, shape: PointerShape, fingerprint: str = "", dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, self.fingerprint = shape, fingerprint
        self.project = nn.Linear(len(shape.inputs) * shape.hidden, shape.kept)
        self.enter = nn.Linear(shape.kept, shape.width)
        self.sides = nn.Embedding(2, shape.width)
        self.standings = nn.Embedding(STANDINGS, shape.width)
        self.no_answer = nn.Parameter(torch.zeros(shape.width))
        self.layers = nn.ModuleList(PointerLayer(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        self.out = nn.Linear(shape.width, 2)
        self.seen, self.dropout = nn.Dropout(1.5 * dropout), nn.Dropout(dropout)

    def vectors(self, inputs: Sequence[Tensor]) -> Tensor:
        """What enters `shape.inputs` of the model, each `[..., hidden]` → float32 `[..., kept]`, of mean square 1."""
        together = torch.cat([_unit(each.float()) for each in inputs], -1)
        return _unit(self.project(self.seen(together)))

    def rounded(self, vectors: Tensor) -> Tensor:
        """As they are kept: int8."""
        return (vectors / STEP).round().clamp(-127, 127).to(torch.int8)

    def forward(
        self, questions: Tensor, asked: Tensor, texts: Tensor, there: Tensor, standing: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits of starts and ends, each `[rows, 1 + tokens]`, the first of them that there is no answer.

        Args:
            questions: vectors `[rows, words, kept]`.
            asked: bool `[rows, words]`: False for padding.
            texts: vectors `[rows, tokens, kept]`.
            there: bool `[rows, tokens]`, likewise.
            standing: int64 `[rows, tokens]`: how the word of each token stands to the question's (text/overlap.py).
        """
        rows, words, _ = questions.shape
        x = torch.cat(
            (
                self.enter(questions) + self.sides.weight[0],
                self.no_answer.expand(rows, 1, -1),
                self.enter(texts) + self.sides.weight[1] + self.standings(standing),
            ),
            1,
        )
        visible = torch.cat((asked, asked.new_ones(rows, 1), there), 1)
        cos, sin = self._positions(x)
        x = self.dropout(x)
        for layer in self.layers:
            x = layer(x, visible, cos, sin)
        logits = self.out(self.norm(x))[:, words:].masked_fill(~visible[:, words:, None], -1e4)
        return logits[..., 0], logits[..., 1]

    def point(
        self, question: Tensor, texts: Sequence[Tensor], standing: Sequence[Sequence[int]]
    ) -> list[Pointed]:
        """Ask one question of several texts.

        Args:
            question: vectors `[words, kept]`.
            texts: of each its kept vectors, int8 `[tokens, kept]`.
            standing: of each how the words of its tokens stand to the question's.
        """
        device = self.no_answer.device
        pad = nn.utils.rnn.pad_sequence
        lengths = torch.tensor([len(text) for text in texts], device=device)
        vectors = pad([text.to(device).float() * STEP for text in texts], batch_first=True)
        near = pad([torch.tensor(each, device=device) for each in standing], batch_first=True)
        there = torch.arange(vectors.shape[1], device=device) < lengths[:, None]
        rows = len(texts)
        with torch.no_grad():
            asked = question.new_ones(rows, len(question), dtype=torch.bool)
            logits = self(question.expand(rows, -1, -1), asked, vectors, there, near)
        starts, ends = (each.log_softmax(-1).cpu() for each in logits)
        return [
            Pointed(starts[row, : 1 + len(text)], ends[row, : 1 + len(text)])
            for row, text in enumerate(texts)
        ]

    def _positions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        size = self.shape.width // self.shape.heads
        powers = torch.arange(0, size, 2, device=x.device) / size
        angles = torch.arange(x.shape[1], device=x.device).unsqueeze(1) / ROTARY_BASE**powers
        angles = torch.cat((angles, angles), -1)
        return angles.cos(), angles.sin()


def load_pointer(path: Path, *, hidden: int, last_input: int) -> Pointer:
    """Read its weights.

    Args:
        hidden: numbers of what enters a layer of the model.
        last_input: the last layer that a writing pass gets to.

    Raises:
        AdapterError: the file is damaged, or was made for another model.
    """
    try:
        with safe_open(path, "pt") as file:
            record = json.loads((file.metadata() or {})["shape"])
            record["inputs"] = tuple(record["inputs"])
            shape = PointerShape(**record)
            if shape.hidden != hidden or max(shape.inputs) > last_input:
                raise AdapterError(f"{path} was made for another model")
            with torch.device("meta"):
                pointer = Pointer(shape)
            expected = {name: list(tensor.shape) for name, tensor in pointer.state_dict().items()}
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            if found != expected:
                raise AdapterError(f"{path} has not the tensors of a pointer network of its shape")
            weights = {name: file.get_tensor(name).float() for name in expected}
    except AdapterError:
        raise
    except Exception as error:  # a damaged file can fail anywhere inside the library, in any way
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise AdapterError(f"{path} is damaged or not a weights file: {reason}") from error
    if not all(tensor.isfinite().all() for tensor in weights.values()):
        raise AdapterError(f"{path} holds what is no finite number")
    pointer.load_state_dict(weights, assign=True)
    pointer.fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()[:FINGERPRINT]
    return pointer.eval().requires_grad_(False)


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()


def _turned(heads: Tensor) -> Tensor:
    first, second = heads.chunk(2, -1)
    return torch.cat((-second, first), -1)
