# %% [markdown]
# # Boosting on the log target, validated by whole days

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_score

INPUT = "/kaggle/input/bike-demand"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
order = {"clear": 0, "cloudy/misty": 1, "light rain/snow": 2, "heavy rain/snow": 3}
for table in (train, test):
    table["weather"] = table["weather"].map(order)

# %%
columns = [
    "day",
    "hour",
    "weekday",
    "workingday",
    "holiday",
    "weather",
    "temp",
    "feels_like",
    "humidity",
    "windspeed",
]
model = HistGradientBoostingRegressor(learning_rate=0.06, max_iter=300, l2_regularization=1.0, random_state=0)
y = np.log1p(train["bikers"])
scores = cross_val_score(
    model, train[columns], y, groups=train["day"], cv=GroupKFold(5), scoring="neg_root_mean_squared_error"
)
print(f"RMSLE {-scores.mean():.4f}")

# %%
model.fit(train[columns], y)
test["bikers"] = np.expm1(model.predict(test[columns])).clip(min=0)
test[["id", "bikers"]].to_csv("submission.csv", index=False)
