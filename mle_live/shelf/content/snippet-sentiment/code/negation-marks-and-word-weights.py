# %% [markdown]
# # Marking what "not" reaches
# "not funny" and "funny" share the word that matters. After not/never/no/without/n't I mark the next
# three words (`funny_NEG`). And words after the last *but* count again: critics put the verdict there.

# %%
import re
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

INPUT = "/kaggle/input/snippet-sentiment"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
DENIERS = {
    "not",
    "never",
    "no",
    "without",
    "neither",
    "nor",
    "hardly",
    "lacks",
    "isn't",
    "doesn't",
    "don't",
    "can't",
}


# %%
def tokens(text: str) -> list[str]:
    words = re.findall(r"[a-z']+|[!?.,;:]", text.lower())
    marked, reach = [], 0
    for word in words:
        if word in "!?.,;:":
            reach = 0
            marked.append(word)
            continue
        marked.append(f"{word}_NEG" if reach else word)
        reach = 3 if word in DENIERS or word.endswith("n't") else max(0, reach - 1)
    if "but" in words:
        last = len(words) - words[::-1].index("but")
        marked += [f"{word}_VERDICT" for word in marked[last:]]
    pairs = [f"{a} {b}" for a, b in pairwise(marked)]
    return marked + pairs


model = make_pipeline(TfidfVectorizer(analyzer=tokens, min_df=2, sublinear_tf=True), Ridge(alpha=1.0))
out_of_fold = cross_val_predict(model, train["text"], train["sentiment"], cv=5)
print("OOF pearson", np.corrcoef(out_of_fold, train["sentiment"])[0, 1].round(4))

# %%
model.fit(train["text"], train["sentiment"])
test["sentiment"] = model.predict(test["text"])
test[["id", "sentiment"]].to_csv("submission.csv", index=False)
