"""How a number of things is said: 1 page, 2 pages."""


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes an s unless there is exactly one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
