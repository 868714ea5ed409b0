"""How a check says that a method does not keep the contract, or that there is nothing to try."""

from __future__ import annotations


class Broken(Exception):  # noqa: N818 - a verdict, not an error of this program
    """The contract is not kept.

    Attributes:
        expected: What had to be there.
        seen: What was there instead.
        next: What to do about it.
        details: A traceback, if the method raised.
    """

    def __init__(self, *, expected: str, seen: str, next: str, details: str = "") -> None:
        super().__init__(f"expected {expected}; got {seen}; {next}")
        self.expected, self.seen, self.next, self.details = expected, seen, next, details


class NotApplicable(Exception):  # noqa: N818
    """There is nothing to try here; the message says why."""
