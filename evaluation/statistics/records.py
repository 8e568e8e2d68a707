"""Results as JSON: a base class whose fields become the published keys, and back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from echo_augment.cache.errors import EchoAugmentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A result whose field names are its keys in JSON; another key is given as ``field(metadata={"key": ...})``.

    A field without a default is always written; one with a default is left out while it has that value. A number that
    is undefined is NaN here and null there. Fields may be records, and dataclasses of lower floors.

    >>> from dataclasses import field
    >>> @dataclass(frozen=True, slots=True, kw_only=True)
    ... class Share(Record):
    ...     value: float
    ...     videos: int = field(metadata={"key": "hearts"})
    ...     reason: str = ""
    >>> Share(value=math.nan, videos=3).to_json()
    {'value': None, 'hearts': 3}
    >>> Share.from_json({"value": 0.5, "hearts": 3, "reason": "few"})
    Share(value=0.5, videos=3, reason='few')
    """

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON."""
        return _written(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Return the result that ``plain`` holds; keys of no field are ignored.

        Raises:
            EchoAugmentError: a field without a default is missing.
        """
        return _made(cls, plain)


T = TypeVar("T")


def _written(value: Any) -> dict[str, Any]:
    values = [(one, getattr(value, one.name)) for one in fields(value)]
    return {_key(one): _plain(value) for one, value in values if value != _default(one)}


def _made(kind: type[T], plain: Mapping[str, Any]) -> T:
    """Return the dataclass that ``plain`` holds."""
    kinds, known = get_type_hints(kind), fields(kind)  # type: ignore[arg-type]
    there = [one for one in known if _key(one) in plain]
    missing = [_key(one) for one in known if one not in there and _default(one) is MISSING]
    if missing:
        raise EchoAugmentError(f"a report lacks {', '.join(missing)} ({kind.__name__})")
    return kind(**{one.name: _read(kinds[one.name], plain[_key(one)]) for one in there})


def _key(one: "Field[Any]") -> str:
    return str(one.metadata.get("key", one.name))


def _default(one: "Field[Any]") -> object:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return _written(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(kind: Any, value: Any) -> Any:
    """Return ``value`` as the type of its field: a record, a tuple, a mapping, a number, any of them or None."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType) and NoneType in inner:
        [kind] = [one for one in inner if one is not NoneType] if len(inner) == 2 else [Any]
        return None if value is None else _read(kind, value)
    if origin is tuple:
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else inner
        return tuple(_read(one, item) for one, item in zip(kinds, value, strict=True))
    if origin is Mapping:
        return {str(key): _read(inner[1], item) for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind.from_json(value)
    if isinstance(kind, type) and is_dataclass(kind):
        return _made(kind, value)
    return math.nan if kind is float and value is None else value
