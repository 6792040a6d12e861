# %% [markdown]
# # Letters know more than words
# With 7,422 rows many a test word is new. Its pieces are not: *un-*, *-less*, *bor-* (boring, boredom,
# bored). Character 3-5-grams inside word borders, next to words and pairs, each with its own weight.

# %%
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline, make_union

INPUT = "/kaggle/input/snippet-sentiment"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
text, y = train["text"].to_numpy(), train["sentiment"].to_numpy()


# %%
def model():
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=4, sublinear_tf=True)
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w[\w']*\b"
    )
    return make_pipeline(make_union(letters, words), Ridge(alpha=3.0, solver="sparse_cg", tol=1e-3))


fit, held = next(KFold(5, shuffle=True, random_state=1).split(text))
held_out = model().fit(text[fit], y[fit]).predict(text[held])
print("pearson, one fold:", np.corrcoef(held_out, y[held])[0, 1].round(4))

# %%
test["sentiment"] = model().fit(text, y).predict(test["text"])
test[["id", "sentiment"]].to_csv("submission.csv", index=False)
