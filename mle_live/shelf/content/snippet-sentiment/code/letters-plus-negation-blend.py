# %% [markdown]
# # Blend: letters + negation
# The average of *Letters know more than words* and *Marking what "not" reaches*, each scaled to unit
# spread. One knows word pieces, the other what a denial reaches.

# %%
import re
from itertools import pairwise

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

INPUT = "/kaggle/input/snippet-sentiment"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
text, y = train["text"], train["sentiment"]


# %%
def marked(sentence: str) -> list[str]:
    out, reach = [], 0
    for word in re.findall(r"[a-z']+|[!?.,;:]", sentence.lower()):
        out.append(f"{word}_NEG" if reach else word)
        denies = word in {"not", "never", "no", "without", "nor", "hardly", "lacks"} or word.endswith("n't")
        reach = 0 if word in "!?.,;:" else 3 if denies else max(0, reach - 1)
    return out + [f"{a} {b}" for a, b in pairwise(out)]


letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=4, sublinear_tf=True)
first = make_pipeline(letters, Ridge(alpha=2.0, solver="sparse_cg", tol=1e-3)).fit(text, y)
negation = TfidfVectorizer(analyzer=marked, min_df=2, sublinear_tf=True)
second = make_pipeline(negation, Ridge(alpha=1.0)).fit(text, y)

# %%
a, b = first.predict(test["text"]), second.predict(test["text"])
test["sentiment"] = a / a.std() + b / b.std()
test[["id", "sentiment"]].to_csv("submission.csv", index=False)
