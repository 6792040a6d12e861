"""What notebooks mostly import, and what of it a Python lacks: for `doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

USUAL = (
    "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "seaborn", "lightgbm", "xgboost", "catboost",
    "statsmodels", "torch", "transformers", "nltk",
)  # fmt: skip
"""By Kaggle's public notebooks."""
OF_IMAGES = ("pillow", "opencv-python", "torchvision", "timm")
OF_SOUND = ("soundfile", "librosa")
_STANDS_FOR = {
    "xgboost": ("xgboost-cpu",),
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python"),
}
_IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".dcm", ".webp")
_SOUND = (".wav", ".mp3", ".ogg", ".flac")


def needed_for(files: Iterable[str]) -> tuple[str, ...]:
    """What a competition with these files asks for beside the usual."""
    kinds = {PurePosixPath(name).suffix.lower() for name in files}
    return (*(OF_IMAGES if kinds & {*_IMAGES} else ()), *(OF_SOUND if kinds & {*_SOUND} else ()))


def lacking(packages: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Those that no installed package is, or stands for."""
    return [name for name in names if not {name, *_STANDS_FOR.get(name, ())} & packages.keys()]
