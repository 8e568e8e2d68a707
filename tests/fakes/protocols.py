"""Whether a class or function is what a protocol promises, by names, parameters and types of results."""

import inspect
import typing
from collections.abc import Callable
from typing import Any

SPOKEN = {"__call__", "__len__", "__getitem__"}


def breaches(protocol: type, given: Any) -> list[str]:
    """Return what of ``protocol`` an object or function lacks, or has of another form; empty if it conforms."""
    found = []
    for name in [*inspect.get_annotations(protocol), *vars(protocol)]:
        if name.startswith("_") and name not in SPOKEN:
            continue
        promise = vars(protocol).get(name)
        is_function = inspect.isfunction(given) and name == "__call__"
        kept = given if is_function else inspect.getattr_static(given, name, None)
        if kept is None:
            found.append(f"{name} is missing")
        elif inspect.isfunction(promise):
            found += method_breaches(name, promise, kept, leading=0 if is_function else 1)
        elif isinstance(promise, property) and isinstance(kept, property):
            found += result_breaches(name, promise.fget, kept.fget)
    return found


def method_breaches(name: str, promise: Callable[..., Any], kept: Any, *, leading: int) -> list[str]:
    count = len(inspect.signature(promise).parameters) - 1 + leading
    try:
        inspect.signature(kept).bind(*[None] * count)
    except TypeError as error:
        return [f"{name}: {error}"]
    return result_breaches(name, promise, kept)


def result_breaches(name: str, promise: Any, kept: Any) -> list[str]:
    wanted, given = (typing.get_type_hints(one).get("return") for one in (promise, kept))
    return [] if wanted == given else [f"{name} returns {given}, not {wanted}"]
