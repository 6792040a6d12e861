"""The cells that every recipe shares: loading, metric, cross-validation, prediction, files."""

from __future__ import annotations

from textwrap import dedent

from comind.offline.recipes.problem import Problem, RecipeCell

FIRST_PAIR = ("validation_submission.csv", "submission.csv")
SECOND_PAIR = ("validation_submission_2.csv", "submission_2.csv")

_SCORES = {
    "roc_auc": ("roc_auc_score", "roc_auc_score(truth, P[:, -1])"),
    "mean_column_roc_auc": (
        "roc_auc_score",
        "np.mean([roc_auc_score(truth[:, j], P[:, j]) for j in range(P.shape[1])])",
    ),
    "average_precision": ("average_precision_score", "average_precision_score(truth, P[:, -1])"),
    "binary_log_loss": ("log_loss", "log_loss(truth, P)"),
    "log_loss": ("log_loss", "log_loss(truth, P, labels=range(P.shape[1]))"),
    "multiclass_log_loss": ("log_loss", "log_loss(truth, P, labels=range(P.shape[1]))"),
    "accuracy": ("accuracy_score", "accuracy_score(truth, decide(P))"),
    "balanced_accuracy": ("balanced_accuracy_score", "balanced_accuracy_score(truth, decide(P))"),
    "f1": ("f1_score", "f1_score(truth, decide(P))"),
    "macro_f1": ("f1_score", 'f1_score(truth, decide(P), average="macro")'),
    "micro_f1": ("f1_score", 'f1_score(truth, decide(P), average="micro")'),
    "weighted_f1": ("f1_score", 'f1_score(truth, decide(P), average="weighted")'),
    "matthews_corrcoef": ("matthews_corrcoef", "matthews_corrcoef(truth, decide(P))"),
    "quadratic_weighted_kappa": (
        "cohen_kappa_score",
        'cohen_kappa_score(truth.ravel().astype(int), decide(P).ravel().astype(int), weights="quadratic")',
    ),
    "mse": ("mean_squared_error", "mean_squared_error(truth, P)"),
    "rmse": ("root_mean_squared_error", "root_mean_squared_error(truth, P)"),
    "mean_column_rmse": ("root_mean_squared_error", "root_mean_squared_error(truth, P)"),
    # the targets are log1p(target) from loading on, so the plain error of them is the logarithmic one
    "rmsle": ("root_mean_squared_error", "root_mean_squared_error(truth, P)"),
    "mean_column_rmsle": ("root_mean_squared_error", "root_mean_squared_error(truth, P)"),
    "mae": ("mean_absolute_error", "mean_absolute_error(truth, P)"),
    "mape": ("mean_absolute_percentage_error", "mean_absolute_percentage_error(truth, P)"),
    "r2": ("r2_score", "r2_score(truth, P)"),
    "pearson_r": ("", "np.mean([np.corrcoef(truth[:, j], P[:, j])[0, 1] for j in range(P.shape[1])])"),
    "spearman_r": (
        "",
        "np.mean([np.corrcoef(rank(truth[:, j]), rank(P[:, j]))[0, 1] for j in range(P.shape[1])])",
    ),
}


def lines(*blocks: str) -> str:
    """Dedented blocks with one empty line between them; empty blocks are left out."""
    return "\n\n".join(text for block in blocks if (text := dedent(block).strip("\n")))


def load_cell(problem: Problem, recipe_source: str) -> RecipeCell:
    """Reads the five tables, names the columns, prepares the target, and defines score and submission."""
    files, data = problem.files, problem.data
    label = (data.label_column or data.target) if problem.kind == "classes" else ""
    labels = f"usecols=[{label!r}], dtype=str, na_filter=False"
    code = lines(
        """
        import json
        import time

        import numpy as np
        import pandas as pd
        """,
        recipe_source,
        f"ID = {data.id_column!r}"
        if data.id_column
        else f"ID = pd.read_csv({files.sample!r}, nrows=0).columns[0]",
        """
        def read(path):
            table = pd.read_csv(path, dtype={ID: str})
            if ID in table:  # 007 is not 7, and NA may be a name
                table[ID] = pd.read_csv(path, usecols=[ID], dtype=str, na_filter=False)[ID]
            return table
        """,
        f"""
        train, valid, test = read({files.train!r}), read({files.validation!r}), read({files.test!r})
        sample_valid, sample_test = read({files.sample_validation!r}), read({files.sample!r})
        """,
        # a class may be called None
        f"train[{label!r}] = pd.read_csv({files.train!r}, {labels})[{label!r}]" if label else "",
        columns_code(problem),
        target_code(problem),
        score_code(problem),
        submission_code(problem),
        """
        print("train", train.shape, "validation", valid.shape, "test", test.shape)
        print("inputs:", INPUTS[:30], "targets:", TARGETS)
        print(train[TARGETS].describe().T.to_string())
        """,
    )
    return RecipeCell("load", "Load the tables and look at the target.", code)


def columns_code(problem: Problem) -> str:
    data = problem.data
    if data.label_column:
        targets = f"TARGETS = [{data.label_column!r}]"
    else:
        targets = dedent("""
            TARGETS = [c for c in sample_test.columns if c != ID and c in train.columns]
            TARGETS = TARGETS or [c for c in train.columns if c not in (ID, *test.columns)][-1:]""").strip()
    ids = dedent("""
        for part, shape in ((valid, sample_valid), (test, sample_test)):
            if ID not in part:
                part.insert(0, ID, shape[ID].to_numpy())
        if ID not in train:
            train.insert(0, ID, np.arange(len(train)))
        train = train[train[TARGETS[0]].ne("")].dropna(subset=TARGETS).reset_index(drop=True)
        INPUTS = [c for c in test.columns if c in train.columns and c != ID and c not in TARGETS]""").strip()
    group = data.group_column
    groups = f"groups = train[{group!r}].to_numpy()" if group else "groups = None"
    return f"{targets}\n{ids}\n{groups}"


def target_code(problem: Problem) -> str:
    if problem.kind == "classes":
        return lines("""
            labels = train[TARGETS[0]]
            numbers = pd.to_numeric(labels, errors="coerce")
            labels = labels if numbers.isna().any() else numbers
            CLASSES, y = np.unique(labels.to_numpy(), return_inverse=True)
            """)
    if problem.kind == "flags":
        return "y = train[TARGETS].to_numpy(int)"
    if problem.votes:
        return "y = train[TARGETS].to_numpy(float)\ny = y / y.sum(axis=1, keepdims=True)  # shares of votes"
    if problem.log_target:
        return "# the metric is logarithmic: learn that scale\ny = np.log1p(train[TARGETS].to_numpy(float))"
    return "y = train[TARGETS].to_numpy(float)"


def score_code(problem: Problem) -> str:
    imported, formula = _SCORES[problem.score_name]
    if problem.kind == "flags" and problem.score_name == "roc_auc":
        imported, formula = _SCORES["mean_column_roc_auc"]
    elif problem.kind == "flags" and "log_loss" in problem.score_name:
        formula = "np.mean([log_loss(truth[:, j], P[:, j]) for j in range(P.shape[1])])"
    elif problem.score_name == "mean_column_roc_auc":
        formula = "np.mean([roc_auc_score(truth == j, P[:, j]) for j in range(P.shape[1])])"
    decide = ""
    if problem.kind == "classes":
        decide = "def decide(P):\n    return P.argmax(axis=1)"
    elif problem.kind == "flags":
        decide = "def decide(P):\n    return (P > 0.5).astype(int)"
    elif problem.wants_labels:
        decide = "def decide(P):\n    return np.clip(np.round(P), y.min(), y.max())"
    helper = "def rank(values):\n    return pd.Series(values).rank().to_numpy()" if "rank(" in formula else ""
    return lines(
        f"from sklearn.metrics import {imported}" if imported else "",
        decide,
        helper,
        f"def score(truth, P):\n    return float({formula})",
        "SIGN = 1  # higher is better" if problem.higher_is_better else "SIGN = -1  # lower is better",
    )


def submission_code(problem: Problem) -> str:
    """`write(P, part, shape, name)`: predictions in the format and the row order of the sample."""
    if problem.kind == "classes" and problem.wants_labels:
        values = "    table[columns[0]] = CLASSES[decide(P)]"
    elif problem.kind == "classes":
        values = (
            "    if len(columns) == 1:\n"
            "        table[columns[0]] = P[:, -1]\n"
            "    else:\n"
            "        order = {str(label): j for j, label in enumerate(CLASSES)}\n"
            "        for j, column in enumerate(columns):\n"
            "            table[column] = P[:, order.get(str(column), min(j, P.shape[1] - 1))]"
        )
    elif problem.votes:
        values = "    shares = np.clip(P, 1e-4, None)\n"
        values += "    table[columns] = shares / shares.sum(axis=1, keepdims=True)"
    elif problem.log_target:
        values = "    table[columns] = np.expm1(np.clip(P, 0, None))"
    elif problem.wants_labels:
        values = "    table[columns] = decide(P).astype(int)"
    else:
        values = "    table[columns] = P"
    return (
        "def write(P, part, shape, name):\n"
        "    columns = [c for c in shape.columns if c != ID]\n"
        "    table = pd.DataFrame({ID: part[ID].to_numpy()})\n"
        f"{values}\n"
        "    order = shape[ID]\n"
        "    if not order.isin(table[ID]).all():  # 7.0 here and 007 there\n"
        "        table[ID], order = pd.to_numeric(table[ID]), pd.to_numeric(order)\n"
        "    table = table.set_index(ID).loc[order].reset_index()\n"
        "    table[ID] = shape[ID].to_numpy()\n"
        "    table[list(shape.columns)].to_csv(name, index=False)"
    )


def folds_code(problem: Problem) -> str:
    if problem.data.group_column:
        return lines("""
            from sklearn.model_selection import GroupKFold

            def split_rows(rows, folds):
                splitter = GroupKFold(folds, shuffle=True, random_state=RECIPE["seed"])
                return splitter.split(rows, groups=groups[rows])
            """)
    if problem.kind == "classes":
        return lines("""
            from sklearn.model_selection import KFold, StratifiedKFold

            def split_rows(rows, folds):
                rare = np.bincount(y[rows]).min() < folds
                kind = KFold if rare else StratifiedKFold
                splitter = kind(folds, shuffle=True, random_state=RECIPE["seed"])
                return splitter.split(rows, y[rows])
            """)
    return lines("""
        from sklearn.model_selection import KFold

        def split_rows(rows, folds):
            return KFold(folds, shuffle=True, random_state=RECIPE["seed"]).split(rows)
        """)


def validate_cell(problem: Problem, limit: float) -> RecipeCell:
    """Cross-validation of `fit_predict` on the training part; `oof` holds NaN where no fold was predicted."""
    code = lines(
        folds_code(problem),
        f"""
        rows = np.arange(len(train))
        oof, fold_scores, started = None, [], time.monotonic()
        for fold, (fit_rows, held_rows) in enumerate(split_rows(rows, RECIPE["folds"])):
            if (time.monotonic() - started) * (fold + 1) / max(fold, 1) > {limit:.0f}:
                print("stopping cross-validation early to leave time for predicting")
                break
            P = fit_predict(fit_rows, take(X_train, held_rows))[0]
            if oof is None:
                oof = np.full((len(train), P.shape[1]), np.nan)
            oof[held_rows] = P
            fold_scores.append(score(y[held_rows], P))
            took = time.monotonic() - started
            print(f"fold {{fold}}: {{fold_scores[-1]:.5f}} after {{took:.1f}} s", flush=True)
        done = ~np.isnan(oof).any(axis=1)
        oof_score = score(y[done], oof[done])
        print(f"OOF {problem.score_name}: {{oof_score:.5f}} on {{done.sum()}} rows")
        """,
    )
    return RecipeCell("validate", "Cross-validate on the training part.", code)


def predict_cell(*, validated: bool, with_oof: bool = True) -> RecipeCell:
    code = lines(
        "" if validated else "oof, oof_score = None, None  # no time for cross-validation",
        """
        P_valid, P_test = fit_predict(np.arange(len(train)), X_valid, X_test)
        """,
        write_code("oof", "P_valid", "P_test", FIRST_PAIR, with_oof=with_oof),
        """
        meta = {"recipe": RECIPE, "oof_score": oof_score}
        with open("meta.json", "w") as file:
            json.dump(meta, file, indent=2, default=str)
        print("wrote both files;", "mean validation prediction", P_valid.mean(axis=0).round(4)[:5])
        """,
    )
    return RecipeCell(
        "predict", "Fit on the whole training part and predict validation and test.", code, FIRST_PAIR
    )


def write_code(oof: str, valid: str, test: str, pair: tuple[str, str], *, with_oof: bool = True) -> str:
    """Both submissions, and `oof.csv` with raw predictions of all three parts for whoever blends later."""
    submissions = f"""
        write({valid}, valid, sample_valid, {pair[0]!r})
        write({test}, test, sample_test, {pair[1]!r})
        """
    if not with_oof:
        return lines(submissions)
    return lines(
        submissions,
        f"""
        tables = []
        raw = (("train", train, {oof}), ("validation", valid, {valid}), ("test", test, {test}))
        for part, frame, P in raw:
            if P is not None:
                table = pd.DataFrame(P, columns=[f"p{{j}}" for j in range(P.shape[1])])
                table.insert(0, "id", frame[ID].to_numpy())
                table.insert(0, "part", part)
                tables.append(table.dropna())
        pd.concat(tables).to_csv("oof.csv", index=False, float_format="%.6g")
        """,
    )
