"""Imports that a script forgot: weak models use a well-known class in one line and leave its import out.

Only names that mean one thing to everybody who writes such scripts are added; any other name that is defined
nowhere is reported, so that it costs a question rather than a run.
"""

from __future__ import annotations

import ast
import builtins
import re

_MODULES = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "torch": "import torch",
    "nn": "from torch import nn",
    **{name: f"import {name}" for name in ("gc", "itertools", "json", "math", "os", "random", "re", "time")},
}
_FROM = {
    "sklearn.ensemble": "AdaBoostClassifier AdaBoostRegressor BaggingClassifier BaggingRegressor"
    " ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier GradientBoostingRegressor"
    " HistGradientBoostingClassifier HistGradientBoostingRegressor RandomForestClassifier"
    " RandomForestRegressor StackingClassifier StackingRegressor VotingClassifier VotingRegressor",
    "sklearn.linear_model": "ElasticNet Lasso LinearRegression LogisticRegression LogisticRegressionCV Ridge"
    " RidgeCV RidgeClassifier SGDClassifier SGDRegressor",
    "sklearn.svm": "SVC SVR LinearSVC LinearSVR NuSVC",
    "sklearn.neighbors": "KNeighborsClassifier KNeighborsRegressor",
    "sklearn.neural_network": "MLPClassifier MLPRegressor",
    "sklearn.naive_bayes": "BernoulliNB ComplementNB GaussianNB MultinomialNB",
    "sklearn.tree": "DecisionTreeClassifier DecisionTreeRegressor",
    "sklearn.gaussian_process": "GaussianProcessClassifier GaussianProcessRegressor",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.decomposition": "NMF PCA TruncatedSVD",
    "sklearn.preprocessing": "LabelEncoder MinMaxScaler Normalizer OneHotEncoder OrdinalEncoder"
    " PolynomialFeatures PowerTransformer QuantileTransformer RobustScaler StandardScaler",
    "sklearn.feature_extraction.text": "CountVectorizer HashingVectorizer TfidfVectorizer",
    "sklearn.impute": "KNNImputer SimpleImputer",
    "sklearn.pipeline": "FeatureUnion Pipeline make_pipeline make_union",
    "sklearn.compose": "ColumnTransformer TransformedTargetRegressor make_column_transformer",
    "sklearn.calibration": "CalibratedClassifierCV",
    "sklearn.model_selection": "GridSearchCV GroupKFold KFold RandomizedSearchCV StratifiedKFold"
    " cross_val_predict cross_val_score train_test_split",
    "sklearn.metrics": "accuracy_score f1_score log_loss mean_absolute_error mean_squared_error roc_auc_score"
    " root_mean_squared_error",
    "pathlib": "Path",
    "collections": "Counter defaultdict",
    "PIL": "Image ImageFilter ImageOps",
    "scipy.ndimage": "affine_transform gaussian_filter",
}
_KNOWN = {
    **_MODULES,
    **{name: f"from {module} import {name}" for module, names in _FROM.items() for name in names.split()},
}
_FUTURE = re.compile(r"^\s*from __future__ import .*$", re.M)


def with_missing_imports(script: str) -> tuple[str, list[str]]:
    """The script with the well-known imports it lacks, and the names that are defined nowhere.

    A script that does not parse (notebook magic), or that takes names from a star import, is left alone.
    """
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return script, []
    undefined = _undefined(tree)
    lines = [_KNOWN[name] for name in undefined if name in _KNOWN]
    if not lines:
        return script, [name for name in undefined if name not in _KNOWN]
    future = list(_FUTURE.finditer(script))
    place = future[-1].end() + 1 if future else 0
    added = "\n".join(lines) + "\n"
    return script[:place] + added + script[place:], [name for name in undefined if name not in _KNOWN]


def undefined_names(script: str) -> list[str]:
    """Names that are read and defined nowhere in the script; none where it does not parse."""
    try:
        return _undefined(ast.parse(script))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _undefined(tree: ast.Module) -> list[str]:
    """Names that are read and bound nowhere in the script, in order; scopes are not told apart."""
    bound = {*dir(builtins), "__file__", "__name__", "__doc__", "display", "get_ipython", "exit", "quit"}
    read: dict[str, None] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=names) if any(one.name == "*" for one in names):
                return []
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound |= {(one.asname or one.name).split(".")[0] for one in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.arg(arg=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.add(name)
            case ast.Global(names=declared) | ast.Nonlocal(names=declared):
                bound |= set(declared)
            case ast.Name(id=name, ctx=ast.Load()):
                read.setdefault(name)
            case ast.Name(id=name):
                bound.add(name)
    return [name for name in read if name not in bound]
