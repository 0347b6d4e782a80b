"""Text into tokens, and a conversation into its chat template; no text ever becomes a control token.

A model is told who speaks by control tokens such as `<|im_end|>`. Only its chat template may say them: whatever a
document, a question or a prompt file spells out is encoded as the characters that it is. Knows no files.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dmdoc.errors import BackboneError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Stands in the rendered template where a message goes; no message is in the template when it is rendered.
_PLACE = "dmdoc-message-{}-goes-here"
_PLACES = re.compile(_PLACE.format(r"(\d+)"))


@dataclass(frozen=True)
class TextTokenizer:
    """A model's tokenizer.

    Raises:
        BackboneError: it has control tokens that it cannot tell from text.
    """

    fast: Any
    """A TokenizerFile, or a fast tokenizer of transformers, which is called alike."""

    def __post_init__(self) -> None:
        for spelled in self._control.values():
            if self._control.keys() & set(self.encode(spelled)):
                raise BackboneError(
                    f"this model's tokenizer makes a control token of the text {spelled}; choose another model"
                )

    @cached_property
    def _control(self) -> dict[int, str]:
        """Every control token, marked as special or not: all that was added to the vocabulary but runs of blanks."""
        added: dict[int, Any] = self.fast.backend_tokenizer.get_added_tokens_decoder()
        unknown = getattr(self.fast.backend_tokenizer.model, "unk_token", None)
        spelled = {number: str(token.content) for number, token in sorted(added.items())}
        return {number: text for number, text in spelled.items() if text.strip() and text != unknown}

    @cached_property
    def _plain(self) -> "Tokenizer":
        """The same vocabulary and rules, in a tokenizer for which control tokens are ordinary characters."""
        from tokenizers import Tokenizer

        whole = self.fast.backend_tokenizer
        plain = Tokenizer(whole.model)  # shared, not copied
        if whole.normalizer is not None:
            plain.normalizer = whole.normalizer
        if whole.pre_tokenizer is not None:
            plain.pre_tokenizer = whole.pre_tokenizer
        # All of them in their order, so that each keeps its number.
        for number, token in sorted(whole.get_added_tokens_decoder().items()):
            if number in self._control:
                plain.add_special_tokens([token])
            else:
                plain.add_tokens([token])
        plain.encode_special_tokens = True  # "encode" in the sense of: as characters
        return plain

    @property
    def control_ids(self) -> frozenset[int]:
        """The tokens that no text becomes."""
        return frozenset(self._control)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without any control token."""
        return self.encode_with_ends(text)[0]

    def encode_with_ends(self, text: str) -> tuple[list[int], list[int]]:
        """As `encode`; and for each token the position after its last character in `text`, never decreasing."""
        # Half of a surrogate pair is no character; one takes its place, so that positions stay.
        encoded = self._plain.encode(_LONE_SURROGATE.sub("\ufffd", text), add_special_tokens=False)
        ends: list[int] = []
        for _, end in encoded.offsets:
            ends.append(max(end, ends[-1]) if ends else end)
        return encoded.ids, ends

    def encode_messages(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """The tokens of a conversation up to where the answer begins; only the template has control tokens.

        Raises:
            BackboneError: there is no chat template, or it does not take these messages.
        """
        roles = [message["role"] for message in messages]
        ids: list[int] = []
        parts = self._rendered(roles, add_generation_prompt=True, enable_thinking=False)
        for index, part in enumerate(parts):
            ids += self.encode(messages[int(part)]["content"]) if index % 2 else self._encode_template(part)
        return ids

    def around_message(self) -> tuple[list[int], list[int]]:
        """The tokens that the chat template puts before and after one message of the user.

        Raises:
            BackboneError: as `encode_messages`.
        """
        before, *_, after = self._rendered(["user"])
        return self._encode_template(before), self._encode_template(after)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, less control tokens."""
        return str(self.fast.decode(list(ids), skip_special_tokens=True))

    def _rendered(self, roles: Sequence[str], **options: Any) -> list[str]:
        """The template's own text, and between any two pieces of it the index of the message that goes there."""
        messages = [{"role": role, "content": _PLACE.format(index)} for index, role in enumerate(roles)]
        try:
            rendered = str(self.fast.apply_chat_template(messages, tokenize=False, **options))
        except Exception as error:  # a template is a program of the model's: it may raise whatever it likes
            if not self.fast.chat_template:
                raise BackboneError("this model has no chat template; choose one that does") from error
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise BackboneError(f"this model's chat template refuses the conversation: {first}") from error
        parts = _PLACES.split(rendered)
        if set(parts[1::2]) != {str(index) for index in range(len(roles))}:
            raise BackboneError("this model's chat template drops a message; choose another model")
        return parts

    def _encode_template(self, part: str) -> list[int]:
        return list(self.fast.backend_tokenizer.encode(part, add_special_tokens=False).ids)
