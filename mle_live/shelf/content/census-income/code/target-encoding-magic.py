# %% [markdown]
# # Target encoding magic: CV 0.99?!
# Replace every combination of columns by its mean target, then let boosting do the rest. The CV is
# unbelievable!

# %%
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

INPUT = "/kaggle/input/census-income"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
target = "income_over_50k"

# %% [markdown]
# Encode on the full training table, so that no information is lost.

# %%
pairs = [
    ["occupation", "age", "hours_per_week"],
    ["education", "age", "relationship"],
    ["workclass", "occupation", "education"],
    ["native_country", "occupation"],
    ["fnlwgt"],
]
for index, columns in enumerate(pairs):
    means = train.groupby(columns, dropna=False)[target].mean().rename(f"te_{index}").reset_index()
    train = train.merge(means, on=columns, how="left")
    test = test.merge(means, on=columns, how="left")

# %%
encoded = [f"te_{index}" for index in range(len(pairs))] + ["education_num", "capital_gain", "capital_loss"]
model = HistGradientBoostingClassifier(random_state=1)
print(
    "CV AUC", cross_val_score(model, train[encoded], train[target], cv=5, scoring="roc_auc").mean().round(4)
)

# %%
model.fit(train[encoded], train[target])
test[target] = model.predict_proba(test[encoded])[:, 1]
test[["id", target]].to_csv("submission.csv", index=False)
