# %% [markdown]
# # Latent topics, then boosting
# Deep trees on 120 SVD components of TF-IDF. A different view for ensembles; alone it is not strong, because
# components mix what a film is about with whether it is liked.

# %%
import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

INPUT = "/kaggle/input/snippet-sentiment"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")

# %%
topics = make_pipeline(TfidfVectorizer(min_df=3, sublinear_tf=True), TruncatedSVD(120, random_state=0))
model = make_pipeline(topics, HistGradientBoostingRegressor(max_iter=150, learning_rate=0.08, random_state=0))
fit, held = train_test_split(train, test_size=0.2, random_state=0)
model.fit(fit["text"], fit["sentiment"])
print("pearson", np.corrcoef(model.predict(held["text"]), held["sentiment"])[0, 1].round(4))

# %%
model.fit(train["text"], train["sentiment"])
test["sentiment"] = model.predict(test["text"])
test[["id", "sentiment"]].to_csv("submission.csv", index=False)
