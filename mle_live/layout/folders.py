"""Which folders and names of a competition's folder hold data."""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".dcm"})
AUDIO_SUFFIXES = frozenset({".wav", ".mp3", ".flac", ".ogg", ".aif", ".aiff", ".m4a"})


def holds_data(folder: Path, hidden: set[Path]) -> bool:
    if folder.name.startswith(".") or folder.name == "__pycache__" or folder.resolve() in hidden:
        return False
    if not is_tellable(folder.name):
        return False
    return not (folder / "pyvenv.cfg").exists()  # a virtual environment in a user's own folder


def is_tellable(name: str) -> bool:
    """False for names in another encoding than UTF-8: no answer could carry them."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)
