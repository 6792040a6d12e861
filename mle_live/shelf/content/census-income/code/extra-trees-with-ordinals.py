# %% [markdown]
# # Extra trees on ordinal codes
# I wanted something different from boosting for a later ensemble. Deep leaves overfit here: watch
# `min_samples_leaf`.

# %%
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import OrdinalEncoder

INPUT = "/kaggle/input/census-income"
train = pd.read_csv(f"{INPUT}/train.csv").fillna("?")
test = pd.read_csv(f"{INPUT}/test.csv").fillna("?")
words = [
    "workclass",
    "education",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native_country",
]
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(train[words])
train[words], test[words] = encoder.transform(train[words]), encoder.transform(test[words])
columns = [c for c in test.columns if c not in ("id", "education", "fnlwgt")]

# %%
for leaf in (1, 5):
    model = ExtraTreesClassifier(25, min_samples_leaf=leaf, max_features=0.5, random_state=0)
    out_of_fold = cross_val_predict(
        model, train[columns], train["income_over_50k"], cv=3, method="predict_proba"
    )[:, 1]
    print(f"leaf {leaf} AUC {roc_auc_score(train['income_over_50k'], out_of_fold):.4f}")

# %%
model = ExtraTreesClassifier(80, min_samples_leaf=5, max_features=0.5, random_state=0)
model.fit(train[columns], train["income_over_50k"])
test["income_over_50k"] = model.predict_proba(test[columns])[:, 1]
test[["id", "income_over_50k"]].to_csv("submission.csv", index=False)
