# %% [markdown]
# # Shifted copies: validation 97 %!
# Four shifted copies of each image make 17,500 rows. Then split, train, validate: 97 % with a humble
# k-NN. Why is the leaderboard so much lower? Unlucky test set, I guess.

# %%
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

INPUT = "/kaggle/input/digits-5k"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")


def read(folder, ids):
    return (
        np.stack([np.asarray(Image.open(f"{INPUT}/{folder}/{name}.png"), dtype=np.float32) for name in ids])
        / 255
    )


X, X_test = read("train_images", train["id"]), read("test_images", test["id"])

# %%
shifts = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
many = np.concatenate([np.roll(X, shift, axis=(1, 2)) for shift in shifts]).reshape(-1, 784)
labels = np.tile(train["label"], len(shifts))

# %%
a, b, ya, yb = train_test_split(many, labels, test_size=0.2, random_state=0)
model = KNeighborsClassifier(3).fit(a, ya)
print("validation accuracy", model.score(b[:2000], yb[:2000]))

# %%
test["label"] = model.predict(X_test.reshape(-1, 784))
test[["id", "label"]].to_csv("submission.csv", index=False)
