"""What the flow makes for every delivery: values, and many of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def struct(*, kw_only: bool = True) -> Callable[[type[T]], type[T]]:
    """A dataclass that nobody changes: the type checker sees to it, and not the class itself, which would set each
    field by a call, and take three times as long to make a value. For what is made rarely, `frozen=True` will do.
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
