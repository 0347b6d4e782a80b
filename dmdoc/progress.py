"""How far long work is: whoever does the work reports it in this form, and the console shows it.

May import: nothing.
Knows nothing about what the work is.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """How far the work is."""

    @property
    def done(self) -> float:
        """From 0 to `total`."""

    @property
    def total(self) -> float:
        """The whole of the work, in `unit`."""

    @property
    def unit(self) -> str:
        """What is counted, in the plural, such as "tokens"."""

    @property
    def reached(self) -> str:
        """What is done, in words, for a line or a bar."""


Report = Callable[[Progress], None]
"""Hears of every step of the work."""

ShowProgress = Callable[[str], AbstractContextManager[Report | None]]
"""Opens what shows the progress of the work of this name; None where nothing is to be shown."""


@dataclass(frozen=True)
class Counted:
    """Work whose steps are counted, and of which there is nothing else to say."""

    done: int
    total: int
    unit: str
    more: str = ""
    """What else is known at this step, such as a loss."""

    @property
    def reached(self) -> str:
        return f"{self.done:,}/{self.total:,} {self.unit}{self.more and ': '}{self.more}"
