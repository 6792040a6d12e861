# %% [markdown]
# # First look and a logistic regression
# Welcome to the competition! Let us look at the table and send a first submission.
# Please upvote if this helps you to start.

# %%
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

INPUT = "/kaggle/input/census-income"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
print(train.shape, test.shape)
print(train.isna().sum()[lambda counts: counts > 0])

# %%
print("share of high incomes:", train["income_over_50k"].mean().round(3))
print(train.groupby("education_num")["income_over_50k"].mean().round(2))

# %% [markdown]
# To keep it simple we use the number columns only.

# %%
columns = ["age", "education_num", "hours_per_week", "capital_gain", "capital_loss"]
model = make_pipeline(StandardScaler(), LogisticRegression())
scores = cross_val_score(model, train[columns], train["income_over_50k"], cv=5, scoring="roc_auc")
print("CV AUC", scores.mean().round(4))

# %%
model.fit(train[columns], train["income_over_50k"])
submission = test[["id"]].copy()
submission["income_over_50k"] = model.predict_proba(test[columns])[:, 1]
submission.to_csv("submission.csv", index=False)
