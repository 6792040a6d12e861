# %% [markdown]
# # Starter: hourly means
# How far do simple averages go? A gentle start with plots in words. Upvotes make my day!

# %%
import pandas as pd

INPUT = "/kaggle/input/bike-demand"
train = pd.read_csv(f"{INPUT}/train.csv")
test = pd.read_csv(f"{INPUT}/test.csv")
print(train.describe().T)

# %%
print(train.groupby("hour")["bikers"].mean().round(0).to_string())

# %% [markdown]
# Two peaks: people ride to work at 8 and home at 17-18.

# %%
by_hour = train.groupby(["season", "hour"])["bikers"].mean().rename("bikers").reset_index()
submission = test.merge(by_hour, on=["season", "hour"], how="left")[["id", "bikers"]]
submission.to_csv("submission.csv", index=False)
print(submission.head())
