"""The gallery of a cache: one page to look through thousands of clips and tick those to leave out."""

from .page import Gallery, write_gallery

__all__ = ["Gallery", "write_gallery"]
