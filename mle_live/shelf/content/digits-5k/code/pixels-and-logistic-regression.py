# %% [markdown]
# # Pixels + logistic regression: your first submission
# How to read the images, flatten them and send something. Upvote if you like clean code!

# %%
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

INPUT = "/kaggle/input/digits-5k"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")


def read(folder: str, ids: pd.Series) -> np.ndarray:
    return np.stack([np.asarray(Image.open(f"{INPUT}/{folder}/{name}.png")) for name in ids])


X, X_test = read("train_images", train["id"]), read("test_images", test["id"])
print(X.shape, X.dtype, X.max())

# %%
flat, flat_test = X.reshape(len(X), -1) / 255, X_test.reshape(len(X_test), -1) / 255
a, b, ya, yb = train_test_split(flat, train["label"], test_size=0.2, stratify=train["label"], random_state=0)
model = LogisticRegression(max_iter=60).fit(a, ya)
print("accuracy", model.score(b, yb))

# %%
test["label"] = model.predict(flat_test)
test[["id", "label"]].to_csv("submission.csv", index=False)
