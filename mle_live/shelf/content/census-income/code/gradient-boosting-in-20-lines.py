# %% [markdown]
# # Gradient boosting in 20 lines
# HistGradientBoosting takes categories and blanks as they are. One fold held out to see where we stand.

# %%
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

INPUT = "/kaggle/input/census-income"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
words = train.select_dtypes(exclude="number").columns
for column in words:
    categories = pd.concat([train[column], test[column]]).astype("category").cat.categories
    train[column] = pd.Categorical(train[column], categories)
    test[column] = pd.Categorical(test[column], categories)

# %%
X, y = train.drop(columns=["id", "income_over_50k"]), train["income_over_50k"]
X_fit, X_held, y_fit, y_held = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
model.fit(X_fit, y_fit)
print(f"held-out AUC {roc_auc_score(y_held, model.predict_proba(X_held)[:, 1]):.4f}")

# %%
model.fit(X, y)
test["income_over_50k"] = model.predict_proba(test[X.columns])[:, 1]
test[["id", "income_over_50k"]].to_csv("submission.csv", index=False)
