"""Features and models for folders of images, and of sounds as pictures of their power.

Pixels, pooled pixels, gradient histograms, shifted copies.
"""

from __future__ import annotations

from comind.offline.recipes.frame import lines
from comind.offline.recipes.models import model_code
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe
from mle_live.layout.tables import Modality

_LOAD = '''
from pathlib import Path

ROOT = Path({root!r})
SIDE = 28

# READ


def find_images(folders):
    """File by name and by name without suffix, from the competition's image folders."""
    found = {{}}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path.name, path)
                found.setdefault(path.stem, path)
    return found


folders = sorted(path for path in ROOT.iterdir() if path.is_dir())
train_files = find_images([f for f in folders if "test" not in f.name.lower()] or folders)
test_files = find_images([f for f in folders if "test" in f.name.lower()] or folders)


def read_images(frame, files):
    columns = [ID, *[c for c in frame.columns if c != ID and c not in TARGETS]]
    column = next((c for c in columns if str(frame[c].iloc[0]).rpartition("/")[2] in files), ID)
    stack = np.zeros((len(frame), SIDE, SIDE), np.float32)
    for row, name in enumerate(frame[column].astype(str)):
        stack[row] = read_one(files[name.rpartition("/")[2]])
    return stack


started = time.monotonic()
images = [
    read_images(train, train_files),
    read_images(valid, test_files | train_files),  # validation images may lie in either folder
    read_images(test, train_files | test_files),
]
print("images", [stack.shape for stack in images], f"in {{time.monotonic() - started:.1f}} s")
'''

_SEE = """
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def read_one(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((SIDE, SIDE)), np.float32) / 255
"""

_HEAR = '''
import struct
import wave

SUFFIXES = (".wav", ".aif", ".aiff", ".flac", ".ogg", ".mp3", ".m4a")
WINDOW = 256


def samples(path):
    """One channel between -1 and 1. WAV and AIFF are read here, others by soundfile if it is there."""
    if path.suffix.lower() == ".wav":
        with wave.open(str(path)) as sound:
            width, channels = sound.getsampwidth(), sound.getnchannels()
            raw = sound.readframes(sound.getnframes())
        kind, middle = {1: ("u1", 128), 2: ("<i2", 0), 4: ("<i4", 0)}[width]
    elif path.suffix.lower() in (".aif", ".aiff"):
        data, place = path.read_bytes(), 12
        channels, width, raw, middle = 1, 2, b"", 0
        while place + 8 <= len(data):
            name, size = data[place : place + 4], struct.unpack(">I", data[place + 4 : place + 8])[0]
            if name == b"COMM":
                channels, _, bits = struct.unpack(">hIh", data[place + 8 : place + 16])
                width = bits // 8
            if name == b"SSND":
                raw = data[place + 16 : place + 8 + size]
            place += 8 + size + size % 2
        kind = {1: ">i1", 2: ">i2", 4: ">i4"}[width]
    else:
        import soundfile

        sound, _ = soundfile.read(path, always_2d=True)
        return sound.mean(axis=1).astype(np.float32)
    values = np.frombuffer(raw[: len(raw) // (width * channels) * width * channels], kind).astype(np.float32)
    return ((values - middle) / 2.0 ** (8 * width - 1)).reshape(-1, channels).mean(axis=1)


def read_one(path):
    """The logarithm of power by frequency and time, averaged to SIDE by SIDE."""
    sound = samples(path)
    sound = np.pad(sound, (0, max(0, WINDOW * SIDE // 2 - len(sound))))
    starts = np.linspace(0, len(sound) - WINDOW, 4 * SIDE).astype(int)
    frames = np.stack([sound[start : start + WINDOW] for start in starts]) * np.hanning(WINDOW)
    power = np.log1p(1e4 * np.abs(np.fft.rfft(frames, axis=1))[:, : WINDOW // 2 // SIDE * SIDE] ** 2)
    picture = power.reshape(SIDE, 4, SIDE, -1).mean(axis=(1, 3)).T
    return (picture / 12).astype(np.float32)
'''

_FEATURES = {
    "pixels": """
def pixels(stack):
    return stack.reshape(len(stack), -1)
""",
    "planes": """
def planes(stack):
    return (stack[:, None] - images[0].mean()) / (images[0].std() + 1e-6)
""",
    "pooled": """
def pooled(stack):
    half = SIDE // 2
    windows = stack.reshape(len(stack), half, 2, half, 2)
    return windows.mean(axis=(2, 4)).reshape(len(stack), -1)
""",
    "gradients": """
def gradients(stack, bins=9, cell=4):
    \"\"\"Histograms of gradient directions in cells of 4 x 4 pixels, smoothed, of equal length.\"\"\"
    dy, dx = np.gradient(stack, axis=(1, 2))
    strength = np.hypot(dx, dy)
    angle = np.mod(np.arctan2(dy, dx), 2 * np.pi) / (2 * np.pi) * bins
    low = np.floor(angle).astype(int) % bins
    share = angle - np.floor(angle)
    cells = SIDE // cell
    planes = []
    for b in range(bins):
        weight = strength * ((low == b) * (1 - share) + ((low + 1) % bins == b) * share)
        sums = weight.reshape(len(stack), cells, cell, cells, cell).sum(axis=(2, 4))
        edge = np.pad(sums, ((0, 0), (1, 1), (1, 1)))
        beside = edge[:, 2:, 1:-1] + edge[:, :-2, 1:-1] + edge[:, 1:-1, 2:] + edge[:, 1:-1, :-2]
        smooth = sums + 0.5 * beside
        planes.append(smooth.reshape(len(stack), -1))
    H = np.sqrt(np.concatenate(planes, axis=1))
    return H / (np.linalg.norm(H, axis=1, keepdims=True) + 1e-6) * 5
""",
}

_SHIFTED = '''
def shifted(stack, dy, dx):
    return np.roll(stack, (dy, dx), axis=(1, 2))


def fit_predict(fit_rows, *others, params=None):
    """Fits on the images and on copies shifted by one pixel in four directions."""
    params = params or PARAMS
    X, target = [take(X_train, fit_rows)], [y[fit_rows]]
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        X.append(features(shifted(images[0][fit_rows], dy, dx)))
        target.append(y[fit_rows])
    return fit_once(np.concatenate(X), np.concatenate(target), others, params, RECIPE["seed"])
'''


def reader(modality: Modality) -> str:
    """Source of `SUFFIXES` and `read_one(path)`: a square picture of SIDE, of an image or of a sound."""
    return (_HEAR if modality == "audio" else _SEE).strip()


def feature_code(problem: Problem, recipe: Recipe) -> str:
    names = [name for name in recipe.features if name in _FEATURES] or ["pixels"]
    parts = ", ".join(f"{name}(stack)" for name in names)
    joined = f"np.concatenate([{parts}], axis=1)" if len(names) > 1 else parts
    return lines(
        _LOAD.format(root=problem.files.competition).replace("# READ", reader(problem.data.modality)),
        *(_FEATURES[name] for name in names),
        f"def features(stack):\n    return {joined}",
        """
        X_train, X_valid, X_test = (features(stack) for stack in images)
        print("features:", X_train.shape)
        """,
    )


def models(problem: Problem, recipe: Recipe) -> str:
    shifts = _SHIFTED if "shifts" in recipe.features else ""
    return lines(model_code(problem, recipe.family), shifts)


REFINEMENTS = {
    "image_linear": "strength=PARAMS['strength'] * 0.3",
    "image_forest": "max_features=0.2",
    "image_neighbours": "n_neighbors=PARAMS['n_neighbors'] + 3",
    "image_kernel": "strength=PARAMS['strength'] * 3",
    "image_mlp": "alpha=0.1",
}
