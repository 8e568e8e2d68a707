"""Names become keyed hashes: with the key a patient can be found again, with the dataset alone not.

HMAC-SHA-256 (RFC 2104): without the key, not even somebody who can guess every hospital number can tell which name is
whose.
"""

import csv
import hmac
import io
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from echo_augment.cache.errors import EchoAugmentError
from echo_augment.cache.system.files import atomic_path

KEY_BYTES = 32
NAME_DIGITS = 16  # hexadecimal: 64 bits, no collision among millions


@dataclass(frozen=True, slots=True)
class Hasher:
    """Keyed hashes of names.

    Attributes:
        key: secret bytes.
    """

    key: bytes

    def __repr__(self) -> str:
        return "Hasher(key=...)"

    def digest(self, kind: str, value: str | bytes) -> str:
        """Return 64 hexadecimal digits; the same text as another ``kind`` gives another hash."""
        data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return hmac.new(self.key, kind.encode() + b"\0" + data, sha256).hexdigest()

    def name(self, kind: str, value: str | bytes) -> str:
        """Return a short name of `NAME_DIGITS` digits."""
        return self.digest(kind, value)[:NAME_DIGITS].upper()

    @property
    def fingerprint(self) -> str:
        """Return a hash that tells keys apart without revealing them."""
        return self.digest("key", "")[:NAME_DIGITS]


def default_key(out: Path) -> Path:
    """Return where the key lies by default: beside the dataset, never in it."""
    return out.absolute().with_name(f"{out.absolute().name}-private") / "import.key"


def read_key(path: Path, out: Path) -> tuple[Hasher, bool]:
    """Read the key file, or make one.

    Args:
        path: the key file.
        out: folder of the dataset.

    Returns:
        The hasher, and whether the key is new.

    Raises:
        EchoAugmentError: the key would lie inside the dataset, or the file is no key.
    """
    real, home = Path(os.path.realpath(path)), Path(os.path.realpath(out))
    if real == home or home in real.parents:
        raise EchoAugmentError(
            f"key={path} lies inside out={out}: whoever gets the data set would get the names with it",
            "Name a file elsewhere",
        )
    if path.exists():
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except ValueError:
            key = b""
        if len(key) < KEY_BYTES:
            raise EchoAugmentError(f"{path}: is no key of an import ({KEY_BYTES} bytes as hexadecimal digits)")
        return Hasher(key), False
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_bytes(KEY_BYTES)
    write_private(path, key.hex() + "\n")
    return Hasher(key), True


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_links(path: Path, rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Write which file became which clip, for the key's owner alone.

    Args:
        path: the CSV, beside the key.
        rows: source file, clip's name, ``in`` or ``out``, reason.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Source", "Clip", "Status", "Reason"))
    writer.writerows(rows)
    write_private(path, text.getvalue())


def write_public(path: Path, header: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV of the dataset, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
