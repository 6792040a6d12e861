# %% [markdown]
# # Stroke directions + SVM
# Straighten the slant of each digit by its moments, then describe every 4 x 4 cell by how much ink edge
# points in each of eight directions (a small HOG), and give that to an SVM. Directions survive thickness,
# which pixels do not.

# %%
import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

INPUT = "/kaggle/input/digits-5k"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")


def read(folder, ids):
    return (
        np.stack([np.asarray(Image.open(f"{INPUT}/{folder}/{name}.png"), dtype=float) for name in ids]) / 255
    )


# %%
rows, columns = np.mgrid[:28, :28]


def upright(image: np.ndarray) -> np.ndarray:
    """Shear by the slant of the ink and move its centre to the middle."""
    ink = image.sum()
    y, x = (rows * image).sum() / ink, (columns * image).sum() / ink
    slant = ((rows - y) * (columns - x) * image).sum() / ((rows - y) ** 2 * image).sum()
    shear = np.array([[1, 0], [slant, 1]])
    return affine_transform(image, shear, offset=np.array([y, x]) - shear @ [13.5, 13.5], order=1)


def directions(images: np.ndarray, bins: int = 8, cell: int = 4) -> np.ndarray:
    images = gaussian_filter(np.stack([upright(image) for image in images]), (0, 0.5, 0.5))
    dy, dx = np.gradient(images, axis=(1, 2))
    strength, angle = np.hypot(dy, dx), np.arctan2(dy, dx) % (2 * np.pi) / (2 * np.pi) * bins
    low = np.floor(angle).astype(int) % bins
    share = angle - np.floor(angle)
    maps = np.zeros((len(images), bins, 28, 28))
    for b in range(bins):
        maps[:, b] = strength * ((low == b) * (1 - share) + ((low + 1) % bins == b) * share)
    maps = gaussian_filter(maps, (0, 0, cell / 2, cell / 2))[:, :, 1::3, 1::3]
    flat = np.sqrt(maps.reshape(len(images), -1))
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


# %%
X, X_test = directions(read("train_images", train["id"])), directions(read("test_images", test["id"]))
model = SVC(C=10, gamma="scale")
print("accuracy", cross_val_score(model, X, train["label"], cv=3).mean().round(4))

# %%
test["label"] = model.fit(X, train["label"]).predict(X_test)
test[["id", "label"]].to_csv("submission.csv", index=False)
