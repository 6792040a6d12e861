"""Where code runs and where submissions go: sandboxed notebook sessions and the Kaggle client."""
