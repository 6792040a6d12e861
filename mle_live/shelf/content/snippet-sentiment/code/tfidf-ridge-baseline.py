# %% [markdown]
# # TF-IDF + ridge baseline

# %%
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

INPUT = "/kaggle/input/snippet-sentiment"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")

# %%
model = make_pipeline(TfidfVectorizer(sublinear_tf=True), Ridge(alpha=1.0))
out_of_fold = cross_val_predict(model, train["text"], train["sentiment"], cv=5)
print("OOF pearson", np.corrcoef(out_of_fold, train["sentiment"])[0, 1].round(4))

# %%
model.fit(train["text"], train["sentiment"])
test["sentiment"] = model.predict(test["text"])
test[["id", "sentiment"]].to_csv("submission.csv", index=False)
