"""Features and models for tables: numbers, categories, dates, missing values. Blending is elsewhere."""

from __future__ import annotations

from comind.offline.recipes.frame import lines
from comind.offline.recipes.models import model_code
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe

_DENSE = frozenset({"linear", "mlp", "neighbours", "torch_table"})
"""Families that want tame numbers and small integers as categories; the others read the table as it is."""

_COLUMNS = """
parts = [frame[INPUTS].copy() for frame in (train, valid, test)]
sizes = np.cumsum([len(part) for part in parts])[:-1]
table = pd.concat(parts, ignore_index=True)  # inputs only: categories and dates mean the same in all parts
"""

_DATES = r"""
for column in list(table.columns):
    if pd.api.types.is_numeric_dtype(table[column]):
        continue
    known = table[column].dropna().astype(str)
    if len(known) and known.head(200).str.contains(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}").mean() > 0.9:
        date = pd.to_datetime(table[column], errors="coerce", format="mixed")
        for name in ("year", "month", "day", "day_of_week", "hour"):
            values = getattr(date.dt, name)
            if values.nunique() > 1:
                table[f"{column}_{name}"] = values
        table[f"{column}_days"] = (date - date.min()).dt.total_seconds() / 86400
        table = table.drop(columns=column)
"""

_CYCLICAL = """
for column in list(table.columns):
    words = "_" + str(column).lower().replace(" ", "_") + "_"
    period = next((p for w, p in (("hour", 24), ("hr", 24), ("month", 12), ("mnth", 12), ("weekday", 7),
                                  ("day_of_week", 7)) if f"_{w}_" in words), None)
    if period and pd.api.types.is_numeric_dtype(table[column]) and table[column].max() <= period:
        table[f"{column}_sin"] = np.sin(2 * np.pi * table[column] / period)
        table[f"{column}_cos"] = np.cos(2 * np.pi * table[column] / period)
"""

_KINDS = """
NUM = [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c])]
CAT = [c for c in table.columns if c not in NUM]
table[NUM] = table[NUM].astype(float)
for column in CAT:
    words = table[column].astype(str).where(table[column].notna(), "missing")
    common = words.value_counts().index[:200]  # rare levels share one
    table[column] = words.where(words.isin(common), "rare")
"""

_RATIOS = """
firm = [c for c in NUM if table[c].nunique() > 10]
first_target = train_rank(pd.Series(y if y.ndim == 1 else y[:, 0]))
strength = {c: np.corrcoef(train_rank(table[c].iloc[: len(train)]), first_target)[0, 1] for c in firm}
strongest = sorted(firm, key=lambda c: -abs(np.nan_to_num(strength[c])))[:4]
for i, a in enumerate(strongest):
    for b in strongest[i + 1 :]:
        table[f"{a}_per_{b}"] = table[a] / (table[b].abs() + 1)
        table[f"{a}_times_{b}"] = table[a] * table[b]
NUM = [c for c in table.columns if c not in CAT]
"""

_RANK = """
def train_rank(values):
    return values.fillna(values.median()).rank().to_numpy()
"""

_COUNTS = """
for column in CAT:
    table[f"{column}_count"] = table[column].map(table[column].value_counts()).astype(float)
NUM = [c for c in table.columns if c not in CAT]
"""

_SKEWED = """
for column in [c for c in NUM if table[c].min() >= 0 and table[c].skew() > 3]:
    if (table[column] == 0).mean() > 0.5:  # mostly zero: that it is not says much by itself
        table[f"{column}_any"] = (table[column] > 0).astype(float)
    table[column] = np.log1p(table[column])
NUM = [c for c in table.columns if c not in CAT]
"""

_SMALL_INTEGERS = """
# a small integer such as an hour or a month is a category to a linear model
SMALL = [c for c in NUM if table[c].nunique() <= 31 and (table[c].dropna() % 1 == 0).all()]
for column in SMALL:
    table[f"{column}_level"] = table[column].astype(str)
CAT = CAT + [f"{c}_level" for c in SMALL]
"""

_CROSSES = """
small = sorted((c for c in CAT if 2 <= table[c].nunique() <= 31), key=lambda c: -table[c].nunique())[:5]
for i, a in enumerate(small):
    for b in small[i + 1 :]:
        table[f"{a}_x_{b}"] = table[a].astype(str) + "_" + table[b].astype(str)
        CAT.append(f"{a}_x_{b}")
"""

_SPLIT = """
rows_by_part = np.split(np.arange(len(table)), sizes)
X_train, X_valid, X_test = (table.iloc[rows].reset_index(drop=True) for rows in rows_by_part)
print(len(NUM), "numbers,", len(CAT), "categories:", list(X_train.columns)[:40])
"""

_TARGET_ENCODING = """
NAMED = [c for c in CAT if table[c].nunique() > 2]
print("encoded by target inside the folds:", NAMED)
"""


def feature_code(problem: Problem, recipe: Recipe) -> str:
    """Code from the three tables to X_train, X_valid, X_test, with NUM and CAT naming their columns."""
    wanted = set(recipe.features)
    dense = recipe.family in _DENSE
    return lines(
        _COLUMNS,
        _DATES,
        _CYCLICAL if "cyclical" in wanted else "",
        _KINDS,
        _RANK + "\n" + _RATIOS if "ratios" in wanted else "",
        _COUNTS if "counts" in wanted else "",
        _SKEWED if dense else "",
        _SMALL_INTEGERS if dense and recipe.family != "neighbours" else "",
        _CROSSES if "crosses" in wanted else "",
        _as_numbers() if recipe.family == "extra_trees" else "",
        _as_categories() if recipe.family == "boosting" and "target_encoding" not in wanted else "",
        _TARGET_ENCODING if "target_encoding" in wanted else "",
        _SPLIT,
    )


def _as_numbers() -> str:
    return """
    for column in CAT:  # trees split on codes: order them by frequency
        order = table[column].value_counts().index
        table[column] = table[column].map({level: code for code, level in enumerate(order)}).astype(float)
    table = table.fillna(-999)
    """


def _as_categories() -> str:
    return """
    for column in CAT:
        table[column] = table[column].astype("category")
    CATEGORICAL = "from_dtype"
    """


def models(problem: Problem, recipe: Recipe) -> str:
    """Definitions of the model for these features."""
    if recipe.family in _DENSE:
        splines = "splines" in recipe.features
        number = "SplineTransformer(6)" if splines else "StandardScaler()"
        imports = """
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler
        """
        imports = (
            imports.replace("StandardScaler\n", "SplineTransformer, StandardScaler\n") if splines else imports
        )
        encode = f"""
        def encoder():
            fill = SimpleImputer(strategy="median", add_indicator=True)
            numbers = make_pipeline(fill, {number})
            categories = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist")
            return ColumnTransformer([("numbers", numbers, NUM), ("categories", categories, CAT)])
        """
        return lines(
            imports, encode, model_code(problem, recipe.family, prepare="make_pipeline(encoder(), {model})")
        )
    if "target_encoding" in recipe.features:
        imports = """
        from sklearn.compose import ColumnTransformer
        from sklearn.model_selection import KFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder, TargetEncoder

        CATEGORICAL = None

        def encoder():
            inner = KFold(5, shuffle=True, random_state=RECIPE["seed"])
            plain = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
            return ColumnTransformer(
                [
                    ("means", TargetEncoder(cv=inner), NAMED),
                    ("codes", plain, CAT),
                ],
                remainder="passthrough",
            )
        """
        return lines(imports, model_code(problem, recipe.family, prepare="make_pipeline(encoder(), {model})"))
    return model_code(problem, recipe.family)


REFINEMENTS = {
    "linear": "strength=PARAMS['strength'] * 0.2",
    "boosting": "max_leaf_nodes=15, learning_rate=PARAMS['learning_rate'] * 0.8, max_features=0.6",
    "extra_trees": "max_features=0.9, min_samples_leaf=PARAMS['min_samples_leaf'] + 2",
    "mlp": "alpha=0.02, hidden=(48, 24)",
    "neighbours": "n_neighbors=PARAMS['n_neighbors'] // 2",
}
