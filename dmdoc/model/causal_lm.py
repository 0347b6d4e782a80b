"""A decoder with its head, and how it continues a prompt: greedily or by draws. Knows nothing about files or text."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dmdoc.model.decoder import Decoder, Linear
from dmdoc.model.decoder_config import DecoderConfig
from dmdoc.model.steps import GrowingSteps, Steps


@dataclass(frozen=True)
class Output:
    logits: Tensor
    """`[batch, kept, vocabulary]`"""


@dataclass
class GenerationConfig:
    eos_token_id: int | list[int] | None = None
    """What ends an answer."""


@dataclass(frozen=True)
class Draw:
    """How the next token is taken from logits."""

    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0

    def take(self, logits: Tensor) -> Tensor:
        """float32 `[batch, vocabulary]` → `[batch]`."""
        if not self.do_sample:
            return logits.argmax(-1)
        logits = logits / self.temperature
        if self.top_p < 1:
            ordered, places = logits.sort(descending=False)
            unlikely = ordered.softmax(-1).cumsum(-1) <= 1 - self.top_p
            unlikely[..., -1] = False
            logits = logits.masked_fill(unlikely.scatter(1, places, unlikely), -torch.inf)
        return torch.multinomial(logits.softmax(-1), 1).squeeze(1)


class CausalLM(nn.Module):
    """A decoder with its head. `tie` the two once the weights are there, where the configuration says so."""

    def __init__(self, config: DecoderConfig, generation_config: GenerationConfig | None = None) -> None:
        super().__init__()
        self.config = config
        self.generation_config = generation_config or GenerationConfig()
        self.model = Decoder(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)

    def tie(self) -> None:
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def get_decoder(self) -> Decoder:
        return self.model

    def get_input_embeddings(self) -> nn.Embedding:
        return self.model.embed_tokens

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def forward(self, input_ids: Tensor, *, logits_to_keep: int | Tensor = 0, **options: Any) -> Output:
        """
        Args:
            logits_to_keep: of the last so many tokens (0: all), or of these columns.
            options: as for `Decoder`.
        """
        hidden = self.model(input_ids, **options)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        seen = hidden[:, kept]
        # As one matrix: for a view of some columns the head's weights would be transposed and copied, for each row.
        return Output(self.lm_head(seen.flatten(0, 1)).unflatten(0, seen.shape[:2]))

    def generate(
        self,
        *,
        input_ids: Tensor,
        attention_mask: Tensor,
        max_new_tokens: int,
        pad_token_id: int,
        streamer: Any = None,
        steps: Steps | None = None,
        **draw: Any,
    ) -> Tensor:
        """Continue each row, padded on the left, until it ends or has so many new tokens: `[batch, time]`.

        Args:
            streamer: `put` hears the prompt, then every new token; `end` that there are no more.
            steps: what takes the steps, if it is to be used again.
            draw: fields of `Draw`.
        """
        drawing, ends = Draw(**draw), self.generation_config.eos_token_id
        ending = torch.tensor([] if ends is None else ends, device=input_ids.device, dtype=torch.long)
        rows, time = input_ids.shape
        taking = steps or GrowingSteps(self, time + max_new_tokens)
        done = torch.zeros(rows, dtype=torch.bool, device=input_ids.device)
        told = streamer.put if streamer is not None else lambda _: None
        told(input_ids.cpu())
        logits = taking.first(input_ids, attention_mask)
        for left in reversed(range(max_new_tokens)):
            token = drawing.take(logits.float()).masked_fill(done, pad_token_id)
            told(token.cpu())
            input_ids = torch.cat((input_ids, token.unsqueeze(1)), 1)
            done |= torch.isin(token, ending)
            if not left or bool(done.all()):
                break
            logits = taking.following(token)
        if streamer is not None:
            streamer.end()
        return input_ids
