# %% [markdown]
# # Predict the logarithm
# RMSLE is RMSE of log(1 + y). So fit log1p(y) and go back with expm1. With hour x workingday as
# categories even a ridge regression is respectable.

# %%
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

INPUT = "/kaggle/input/bike-demand"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")


# %%
def features(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "hour_work": table["hour"].astype(str) + "_" + table["workingday"].astype(str),
            "weekday": table["weekday"].astype(str),
            "month": table["month"],
            "weather": table["weather"],
            "warmth": (table["feels_like"] * 10).round().astype(str),
            "humid": (table["humidity"] * 8).round().astype(str),
        }
    )


model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(alpha=2.0))
y = np.log1p(train["bikers"])
scores = cross_val_score(
    model, features(train), y, groups=train["day"], cv=GroupKFold(5), scoring="neg_root_mean_squared_error"
)
print("RMSLE by days", (-scores.mean()).round(4))

# %%
model.fit(features(train), y)
test["bikers"] = np.expm1(model.predict(features(test))).clip(min=0)
test[["id", "bikers"]].to_csv("submission.csv", index=False)
