"""A reader: a frozen backbone with a δ-mem adapter that fits it. It writes text into a state and answers from one.

Token ids and states go in, states and token ids come out; knows nothing about files, documents or questions.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dmdoc.errors import UsageError
from dmdoc.memory.adapter import DeltaMemAdapter, WriteInputs
from dmdoc.memory.adapter_file import load_adapter
from dmdoc.memory.attach import EnoughSeen, MemoryPass, attention_inputs, attention_sizes
from dmdoc.memory.copying import on_device
from dmdoc.memory.end_to_end import EndToEnd
from dmdoc.memory.judges import Judge, read_judges
from dmdoc.memory.reading_file import READING_WEIGHTS, load_reading
from dmdoc.memory.state import MemoryState
from dmdoc.memory.state_header import Identity
from dmdoc.memory.token_vectors import TokenVectors
from dmdoc.model import registry as models
from dmdoc.model.backbone import Backbone, load_backbone
from dmdoc.model.batching import in_batches, memory_told
from dmdoc.model.causal_lm import CausalLM
from dmdoc.model.hardware import choose_device, detect_hardware
from dmdoc.model.places import FixedPlaces, keeps_places
from dmdoc.model.pointer import POINTER, Pointer, load_pointer
from dmdoc.model.prompt import RecallMode
from dmdoc.settings.generation import GenerationSettings
from dmdoc.text.chunking import LAYOUT_SENTENCE, Chunk, Layout, chunk_document

LEAST_TEMPERATURE = 1e-6
"""Draws the likeliest token, as everything below does; a smaller divisor would make infinite numbers of logits."""


@dataclass(frozen=True)
class Reader:
    """Backbone, tokenizer and adapter, checked to fit each other when the adapter was loaded."""

    backbone: Backbone
    adapter: DeltaMemAdapter
    adapter_identity: Identity
    judges: Mapping[str, Judge] = field(default_factory=dict)
    """Who judges its answers, by the recall mode; none: nobody has calibrated it."""
    reading_weights: Mapping[RecallMode, Path] = field(default_factory=dict)
    """The files of what it reads with in some recall modes; in all others it reads with what it always does."""
    pointer: Pointer | None = None
    """What points at answers in the texts that it wrote; None: the adapter has none."""
    _places: FixedPlaces = field(default_factory=FixedPlaces, init=False, repr=False, compare=False)
    _speakers: dict[RecallMode, "Reader"] = field(default_factory=dict, init=False, repr=False, compare=False)

    def speaker(self, mode: RecallMode) -> "Reader":
        """Who says the answer in a recall mode: this reader, or one with weights for that mode.

        Raises:
            AdapterError: the file of these weights is damaged or does not fit.
        """
        if mode not in self.reading_weights:
            return self
        if mode not in self._speakers:
            adapter = load_reading(self.reading_weights[mode], self.adapter)
            self._speakers[mode] = replace(self, adapter=adapter, reading_weights={})
        return self._speakers[mode]

    def zero_state(self, batch: int = 1) -> MemoryState:
        """The state that has read nothing."""
        return MemoryState.zeros(*self.adapter.state_shape, batch=batch, device=self.backbone.device)

    @property
    def write_budget(self) -> int:
        """The most tokens of one write: what the adapter was trained with and the backbone takes."""
        return min(self.adapter.config.write_budget, self.backbone.context_length)

    def chunks(self, text: str, budget: int | None = None) -> list[Chunk]:
        """A text as it is written: laid out as in training, in chunks of at most `budget` tokens.

        Raises:
            UsageError: the budget is larger than `write_budget`, or too small to hold anything.
        """
        most = self.write_budget
        if budget is not None and budget > most:
            raise UsageError(
                f"a write budget of {budget} tokens is more than the {most} that "
                f"{self.adapter_identity.name} was trained with; give a smaller budget"
            )
        layout = Layout(self.adapter.config.write_layout)
        asked = most if budget is None else budget
        return chunk_document(text, self.backbone.tokenizer, budget=asked, layout=layout)

    def write(self, chunks: Sequence[Chunk], state: MemoryState) -> MemoryState:
        """Write one chunk into each of the states of a batch.

        Each chunk is read from an empty key-value cache. No logits are computed, and nothing after the last memory.
        What a pointer keeps of the chunks' tokens comes with the states.
        Differentiable in the adapter and the state where gradients are on.

        Raises:
            StateShapeError: the state does not fit the adapter or the number of chunks.
        """
        granularity, device = self.adapter.config.memory_write_granularity, self.backbone.device
        lengths = [len(chunk.token_ids) for chunk in chunks]
        texts = EndToEnd.of(lengths, device) if self.backbone.packs_texts else None
        write_mask = self.pad([[1] * length for length in lengths], 0).bool()
        segment_ids = None
        if granularity == "message_mean":
            segment_ids = torch.where(write_mask, 0, -1)
        elif granularity == "sentence_mean":
            segment_ids = self.pad([chunk.sentence_ids for chunk in chunks], -1)
        memory = MemoryPass(
            self.adapter,
            state,
            write_mask=write_mask,
            segment_ids=segment_ids,
            texts=texts,
            stop_after_writing=True,
        )
        inputs: dict[str, Any]
        if texts is not None:
            row = [token for chunk in chunks for token in chunk.token_ids]
            inputs = {"input_ids": on_device([row], device), "texts": texts}
        else:
            # Padding stands on the right, so that causal attention alone keeps it away from the text.
            inputs = {"input_ids": self.pad([chunk.token_ids for chunk in chunks], 0)}
        through_backbone = torch.is_grad_enabled() and self.adapter.config.corrects_while_writing
        seen = attention_inputs(
            self.backbone.model, () if self.pointer is None else self.pointer.shape.inputs
        )
        hooks, gradients = memory.attached(self.backbone.model), torch.set_grad_enabled(through_backbone)
        with seen as entered, hooks, gradients, suppress(EnoughSeen):
            self.backbone.model.get_decoder()(**inputs, use_cache=False)
        if self.pointer is None:
            return memory.state_out
        with torch.no_grad():
            vectors = self.pointer.vectors(
                entered if texts is None else [texts.apart(each) for each in entered]
            )
            rows = self.pointer.rounded(vectors)
        kept = [row[slice(*_of_text(chunk))] for row, chunk in zip(rows, chunks, strict=True)]
        return replace(memory.state_out, vectors=TokenVectors.of(self.pointer.fingerprint, kept))

    def layer_inputs(self, texts: Sequence[Sequence[int]], layers: Sequence[int]) -> list[Tensor]:
        """What enters some layers of the frozen model, each `[texts, time, hidden]`, when it reads tokenised texts.

        What stands after the last token of a shorter one is padding.

        Args:
            layers: counted from 0, in order.
        """
        model = self.backbone.model
        with (
            torch.no_grad(),
            attention_inputs(model, layers, stop_after=True) as inputs,
            suppress(EnoughSeen),
        ):
            model.get_decoder()(input_ids=self.pad(texts, 0), use_cache=False)
        return inputs

    def write_inputs(self, texts: Sequence[Sequence[int]]) -> list[WriteInputs]:
        """What each layer would write of several tokenised texts: a time step a token, whatever the granularity.

        The texts go through the frozen model, as they do when they are written without corrections; what stands
        after the last token of a shorter one is padding.
        """
        inputs = self.layer_inputs(texts, self.adapter.layer_indices)
        return [self.adapter.layer(position).write_inputs(hidden) for position, hidden in enumerate(inputs)]

    @contextmanager
    def reading(self, state: MemoryState | None) -> Iterator[Any]:
        """The model with the memory attached, read-only (without the adapter if it is None): call it at will inside."""
        attached = (
            nullcontext() if state is None else MemoryPass(self.adapter, state).attached(self.backbone.model)
        )
        with attached:
            yield self.backbone.model

    def generate(
        self,
        prompt_ids: Sequence[int],
        state: MemoryState | None,
        settings: GenerationSettings,
        on_token: Callable[[int], None] | None = None,
    ) -> list[int]:
        """Answer one prompt from one state (without the adapter if it is None); `on_token` hears every new token.

        Returns:
            The new tokens without the one that ends the answer.

        Raises:
            UsageError: the prompt and the answer do not fit the backbone's context.
        """
        streamer = _TokenStream(self.end_ids, on_token) if on_token is not None else None
        with memory_told("this question"):
            (answer,) = self._generate([prompt_ids], state, settings, streamer)
        return answer

    def generate_batch(
        self, prompts: Sequence[Sequence[int]], state: MemoryState | None, settings: GenerationSettings
    ) -> list[list[int]]:
        """Answer several prompts at once, each from its own row of the state (without the adapter if it is None).

        Greedy answers are those of `generate`, but for rounding. Draws are seeded too, but those of a prompt depend
        on what stands beside it.

        Returns, raises:
            As `generate`, for every prompt.
        """

        def together(rows: Sequence[int]) -> list[list[int]]:
            own = None if state is None else state.select(torch.tensor(rows, device=state.device))
            return self._generate([prompts[row] for row in rows], own, settings, None)

        return in_batches(together, [len(prompt) for prompt in prompts])

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        state: MemoryState | None,
        settings: GenerationSettings,
        streamer: "_TokenStream | None",
    ) -> list[list[int]]:
        longest = max(map(len, prompts))
        self.check_room(longest, settings)
        sampling: dict[str, Any] = {"do_sample": False}
        if settings.temperature > 0:
            sampling = {
                "do_sample": True,
                "temperature": max(settings.temperature, LEAST_TEMPERATURE),
                "top_p": settings.top_p,
            }
            if not isinstance(self.backbone.model, CausalLM):
                sampling["top_k"] = 0  # transformers would draw from the 50 likeliest
        # Padding stands on the left, so that every answer begins where its prompt ends.
        padding = [longest - len(prompt) for prompt in prompts]
        ids = [[0] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pad + [1] * (longest - pad) for pad in padding]
        device = self.backbone.device
        if isinstance(self.backbone.model, CausalLM) and keeps_places(device):
            sampling["steps"], state = self._places.take(
                self.backbone.model, device, len(prompts), longest + settings.max_tokens, state
            )
        with torch.no_grad(), torch.random.fork_rng(), self.reading(state) as model:
            torch.manual_seed(settings.seed)
            output = model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=settings.max_tokens,
                pad_token_id=0,  # after the end of an answer; without it transformers gives advice
                streamer=streamer,
                **sampling,
            )
        return [self.until_end(row) for row in output[:, longest:].tolist()]

    def check_room(self, prompt: int, settings: GenerationSettings) -> None:
        """
        Args:
            prompt: its tokens.

        Raises:
            UsageError: the prompt and the answer do not fit the backbone's context.
        """
        if prompt + settings.max_tokens > (limit := self.backbone.context_length):
            raise UsageError(
                f"a prompt of {prompt} tokens and an answer of {settings.max_tokens} exceed the "
                f"{limit} tokens of {self.backbone.name}; shorten the question or ask for a shorter answer"
            )

    def until_end(self, ids: Sequence[int]) -> list[int]:
        """What stands before the token that ends an answer; all, if none does."""
        ends = self.end_ids
        return list(takewhile(lambda token: token not in ends, ids))

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer; none for a model that only stops at the limit."""
        ends = self.backbone.model.generation_config.eos_token_id
        if ends is None:
            return ()
        return tuple(ends) if isinstance(ends, list) else (int(ends),)

    def prompt_ids(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """The tokens of a conversation up to where the answer begins."""
        return self.backbone.tokenizer.encode_messages(messages)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text; none is a control token, whatever it spells out."""
        return self.backbone.tokenizer.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self.backbone.tokenizer.decode(ids)

    def pad(self, rows: Sequence[Sequence[int]], value: int) -> Tensor:
        """Rows of unequal length → int64 `[rows, longest]`, padded on the right, on the model's device."""
        longest = max(len(row) for row in rows)
        padded = [[*row, *[value] * (longest - len(row))] for row in rows]
        return on_device(padded, self.backbone.device)


def open_reader(
    model: str | None,
    adapter: str | None,
    *,
    cache: Path,
    device: str = "auto",
    offline: bool = False,
    note: Callable[[str], None] | None = None,
) -> Reader:
    """Find, fetch if need be, load and fit a backbone and an adapter, each a known name, a folder or a Hub id.

    Without `model` the best known pair for the device is chosen; without `adapter` the known one of the model.

    Raises:
        BackboneError, AdapterError: not found, not supported, or they do not fit each other.
    """
    if model is None:
        hardware = detect_hardware()
        model, default_adapter = models.default_pair(
            hardware.cuda_bf16 and choose_device(device, hardware).type == "cuda",
            partial(models.available, cache=cache, offline=offline),
        )
        adapter = adapter or default_adapter
    adapter = models.canonical(adapter or models.adapter_for(model), "adapter")
    model = models.canonical(model, "backbone")
    folder = models.resolve(model, cache, kind="backbone", offline=offline, note=note)
    adapter_folder = models.resolve(adapter, cache, kind="adapter", offline=offline, note=note)
    stamps = (_stamp(folder), _stamp(adapter_folder))
    with memory_told(f"the model {model}"):
        return _loaded(folder, model, device, adapter_folder, adapter, stamps)


@lru_cache(maxsize=4)
def _loaded(
    folder: Path, model: str, device: str, adapter_folder: Path, adapter: str, _stamps: object
) -> Reader:
    """Loaded once in a process, unless the files changed."""
    return load_reader(load_backbone(folder, name=model, device=device), adapter_folder, adapter_name=adapter)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file of a folder does."""
    files = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return tuple((name, found.st_mtime_ns, found.st_size) for name, found in files)


def load_reader(backbone: Backbone, adapter_folder: Path, *, adapter_name: str) -> Reader:
    """Load the adapter in `adapter_folder` and fit it to `backbone`.

    Raises:
        AdapterError: the adapter is refused or does not fit.
        BackboneError: the backbone has no separate projections.
    """
    adapter, identity = load_adapter(
        adapter_folder, name=adapter_name, sizes=attention_sizes(backbone.model), device=backbone.device
    )
    pointer = adapter_folder / POINTER
    last = max(adapter.layer_indices)
    own: dict[RecallMode, Path] = {mode: adapter_folder / name for mode, name in READING_WEIGHTS.items()}
    return Reader(
        backbone,
        adapter.to(dtype=backbone.dtype),
        identity,
        read_judges(adapter_folder),
        {mode: path for mode, path in own.items() if path.is_file()},
        load_pointer(pointer, hidden=backbone.hidden_size, last_input=last).to(backbone.device)
        if pointer.is_file()
        else None,
    )


def _of_text(chunk: Chunk) -> tuple[int, int]:
    """Where in a chunk the tokens of its text begin and end, between those of the layout."""
    own = [number for number, sentence in enumerate(chunk.sentence_ids) if sentence != LAYOUT_SENTENCE]
    return own[0], own[-1] + 1


class _TokenStream:
    """What transformers calls a streamer: told of the prompt first, then of each new token."""

    def __init__(self, ends: Sequence[int], on_token: Callable[[int], None]) -> None:
        self._ends = ends
        self._on_token = on_token
        self._prompt_seen = False

    def put(self, value: Tensor) -> None:
        if self._prompt_seen:
            for token in value.flatten().tolist():
                if token not in self._ends:
                    self._on_token(token)
        self._prompt_seen = True

    def end(self) -> None:
        return
