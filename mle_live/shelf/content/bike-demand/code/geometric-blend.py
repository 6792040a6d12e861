# %% [markdown]
# # Geometric blend of two public notebooks
# *Predict the logarithm* (ridge) and *Boosting on the log target*. For RMSLE one blends in log space,
# that is, takes the geometric mean. Ridge alone is weak but its mistakes are different.

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

INPUT = "/kaggle/input/bike-demand"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
y = np.log1p(train["bikers"])


# %%
def for_ridge(table: pd.DataFrame) -> pd.DataFrame:
    out = table[["month", "weather"]].copy()
    out["hour_work"] = table["hour"].astype(str) + "_" + table["workingday"].astype(str)
    out["weekday"] = table["weekday"].astype(str)
    out["warmth"] = (table["feels_like"] * 10).round().astype(str)
    out["humid"] = (table["humidity"] * 8).round().astype(str)
    return out


def for_trees(table: pd.DataFrame) -> pd.DataFrame:
    out = table.drop(columns=["id", "bikers", "month", "season"], errors="ignore").copy()
    out["weather"] = out["weather"].map(
        {"clear": 0, "cloudy/misty": 1, "light rain/snow": 2, "heavy rain/snow": 3}
    )
    return out


# %%
ridge = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(alpha=2.0)).fit(for_ridge(train), y)
trees = HistGradientBoostingRegressor(learning_rate=0.06, max_iter=300, l2_regularization=1.0, random_state=0)
trees.fit(for_trees(train), y)
log = 0.2 * ridge.predict(for_ridge(test)) + 0.8 * trees.predict(for_trees(test))
test["bikers"] = np.expm1(log).clip(min=0)
test[["id", "bikers"]].to_csv("submission.csv", index=False)
