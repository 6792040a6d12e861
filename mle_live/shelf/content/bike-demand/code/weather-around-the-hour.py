# %% [markdown]
# # The weather around the hour
# People do not look at this hour's weather alone: they stay at home when it has rained for two hours and
# when the sky is black. All hours of a test day are in the test file, so the hours before and after are
# known features. No rider count of another row is used, hence nothing can leak between folds.

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_score

INPUT = "/kaggle/input/bike-demand"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
order = {"clear": 0, "cloudy/misty": 1, "light rain/snow": 2, "heavy rain/snow": 3}


# %%
def features(table: pd.DataFrame) -> pd.DataFrame:
    out = table.drop(columns=["id", "bikers", "month", "season"], errors="ignore").copy()
    out["weather"] = out["weather"].map(order)
    hours = out.set_index(["day", "hour"])
    for step in (-3, -2, -1, 1, 2):
        place = pd.MultiIndex.from_arrays([table["day"], table["hour"] + step])
        for column in ("weather", "humidity"):
            out[f"{column}{step:+d}"] = hours[column].reindex(place).to_numpy()
    out["wet_hours"] = (out[["weather-3", "weather-2", "weather-1", "weather"]] >= 2).sum(axis=1)
    return out


def model(seed: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=250, max_leaf_nodes=16, min_samples_leaf=15,
        l2_regularization=3.0, max_features=0.5, random_state=seed,
    )  # fmt: skip


y = np.log1p(train["bikers"])
scores = cross_val_score(
    model(0), features(train), y, groups=train["day"], cv=GroupKFold(4), scoring="neg_root_mean_squared_error"
)
print(f"RMSLE by days {-scores.mean():.4f}")

# %%
log = np.mean([model(seed).fit(features(train), y).predict(features(test)) for seed in range(3)], axis=0)
pd.DataFrame({"id": test["id"], "bikers": np.expm1(log).clip(min=0)}).to_csv("submission.csv", index=False)
