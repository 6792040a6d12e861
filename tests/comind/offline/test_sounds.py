"""The source that reads sounds in a notebook: WAV and AIFF alike, and pictures that tell pitches apart."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comind.offline.recipes.image import reader


def loaded() -> dict[str, Any]:
    scope: dict[str, Any] = {"np": np, "SIDE": 28}
    exec(reader("audio"), scope)
    return scope


def tone(pitch: float, count: int = 4000) -> np.ndarray:
    return np.asarray(np.sin(np.arange(count) * pitch) * 12_000, dtype=np.int16)


def write_wav(path: Path, values: np.ndarray, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, 2, 8000, len(values), "NONE", ""))
        out.writeframes(np.repeat(values, channels).astype("<i2").tobytes())
    return path


def write_aiff(path: Path, values: np.ndarray) -> Path:
    """By the format's description: big-endian chunks in a FORM, an odd one filled up."""
    rate = b"\x40\x0b\xfa\x00\x00\x00\x00\x00\x00\x00"
    chunks = [
        (b"COMM", struct.pack(">hIh", 1, len(values), 16) + rate),
        (b"NAME", b"odd"),
        (b"SSND", struct.pack(">II", 0, 0) + values.astype(">i2").tobytes()),
    ]
    body = b"".join(
        name + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    path.write_bytes(b"FORM" + struct.pack(">I", len(body) + 4) + b"AIFF" + body)
    return path


def test_wav_and_aiff_say_the_same(tmp_path: Path) -> None:
    values, samples = tone(0.1), loaded()["samples"]
    expected = values / 2**15
    for path in (write_wav(tmp_path / "a.wav", values), write_wav(tmp_path / "b.wav", values, channels=2),
                 write_aiff(tmp_path / "c.aif", values)):  # fmt: skip
        assert samples(path) == pytest.approx(expected, abs=1e-6), path.name


def test_a_picture_is_bright_where_the_pitch_is(tmp_path: Path) -> None:
    read_one = loaded()["read_one"]
    rows = []
    for pitch in (0.2, 1.0, 2.0):
        picture = read_one(write_wav(tmp_path / f"{pitch}.wav", tone(pitch)))
        assert picture.shape == (28, 28) and np.isfinite(picture).all()
        rows.append(int(picture.mean(axis=1).argmax()))
    assert rows == sorted(set(rows))


def test_a_sound_shorter_than_a_window_is_a_picture_too(tmp_path: Path) -> None:
    assert loaded()["read_one"](write_wav(tmp_path / "s.wav", tone(0.3, 20))).shape == (28, 28)
