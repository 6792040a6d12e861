"""Makes the shelf's synthetic leaderboards: many seeded pipelines, really fitted and really graded.

    python -m benchmarks.make_board [SLUG ...] [--root DIR]

Writes `content/<slug>/leaderboard.csv`. Teams are invented. Some submit a public kernel as it is (on Kaggle
too, which gives ties), some fit a simple model on part of the rows and columns, some blend what others have.
Nobody's score is made up, and nobody here is a person: the boards are marked `synthetic`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.rescore import kernel_submission, public_and_private_score, read_kernels
from mle_live.shelf.entry import ENABLED, ShelfEntry, find_entry, list_shelf
from mle_live.shelf.preparation import CONTENT, prepare

SEED = 411
FITTED_TEAMS, COPYING_TEAMS, BLENDING_TEAMS = 46, 30, 28
SEASON_DAYS = 75
ADJECTIVES = (
    "amber blunt brisk calm clever copper curious dusty early electric fuzzy gentle hidden idle jolly "
    "keen late lucky mellow northern odd patient quiet rapid rusty silent steady stray tidy velvet wandering"
)
NOUNS = (
    "badgers baselines bishops comets cranes dendrites eigenvalues ferns foxes gradients herons kernels "
    "lanterns marmots moths otters outliers owls pebbles percentiles pines quartiles ravens residuals "
    "sparrows tensors thistles tortoises tulips vectors walnuts whales"
)

Numbers = npt.NDArray[np.float64]


class TabularProblem(NamedTuple):
    """One competition as plain matrices; `ids` are the test rows'."""

    train: Numbers
    target: Numbers
    test: Numbers
    ids: npt.NDArray[np.int64]


def load(entry: ShelfEntry, root: Path) -> TabularProblem:
    """Numbers for any model: codes for words, principal components for texts and images."""
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import StandardScaler

    data = root / "competitions" / entry.slug / "data"
    train, test = pd.read_csv(data / "train.csv"), pd.read_csv(data / "test.csv")
    if entry.modality == "text":
        tfidf = TfidfVectorizer(sublinear_tf=True, min_df=3)
        words, test_words = tfidf.fit_transform(train["text"]), tfidf.transform(test["text"])
        svd = TruncatedSVD(150, random_state=SEED).fit(words)
        x, x_test = svd.transform(words), svd.transform(test_words)
    elif entry.modality == "image":
        pixels, test_pixels = (
            _pixels(data / "train_images", train["id"]),
            _pixels(data / "test_images", test["id"]),
        )
        pca = PCA(60, random_state=SEED).fit(pixels)
        x, x_test = pca.transform(pixels), pca.transform(test_pixels)
    else:
        both = pd.concat([train, test]).drop(columns=["id", entry.target])
        for column in both.select_dtypes(exclude="number"):
            both[column] = both[column].astype("category").cat.codes
        scaled = StandardScaler().fit_transform(both)
        x, x_test = scaled[: len(train)], scaled[len(train) :]
    return TabularProblem(x, train[entry.target].to_numpy(dtype=float), x_test, test["id"].to_numpy())


def _pixels(directory: Path, ids: pd.Series[int]) -> Numbers:
    from PIL import Image

    return (
        np.stack([np.asarray(Image.open(directory / f"{name}.png"), dtype=float).ravel() for name in ids])
        / 255
    )


def fitted_predictions(
    entry: ShelfEntry, problem: TabularProblem, generator: np.random.Generator
) -> Iterator[Numbers]:
    """Predictions of simple models, each on its own share of rows and columns."""
    logarithmic = entry.metric == "rmsle"
    rows, columns = problem.train.shape
    for _ in range(FITTED_TEAMS):
        used_rows = generator.choice(rows, int(generator.integers(300, min(rows, 6000))), replace=False)
        used = generator.choice(columns, max(2, round(columns * generator.uniform(0.4, 1.0))), replace=False)
        x, y = problem.train[np.ix_(used_rows, used)], problem.target[used_rows]
        on_logs = logarithmic and generator.random() < 0.7
        model = _model(entry, generator)
        model.fit(x, np.log1p(y) if on_logs else y)
        if entry.metric == "roc_auc":
            predicted = model.predict_proba(problem.test[:, used])[:, 1]
        else:
            predicted = model.predict(problem.test[:, used])
        predicted = np.expm1(predicted) if on_logs else predicted
        yield np.clip(predicted, 0, None) if logarithmic else predicted


def _model(entry: ShelfEntry, generator: np.random.Generator) -> Any:
    from sklearn import ensemble, linear_model, naive_bayes, neighbors, tree

    seed, depth, leaf = (int(generator.integers(low, high)) for low, high in ((0, 999), (3, 14), (1, 20)))
    forest = {"n_estimators": 25, "min_samples_leaf": leaf, "random_state": seed}
    boosting = {
        "max_iter": int(generator.integers(20, 90)),
        "max_leaf_nodes": 2 * depth,
        "random_state": seed,
    }
    if entry.metric in ("roc_auc", "accuracy"):
        choices = [
            linear_model.LogisticRegression(C=float(10 ** generator.uniform(-2, 1)), max_iter=300),
            naive_bayes.GaussianNB(),
            neighbors.KNeighborsClassifier(leaf + 2),
            tree.DecisionTreeClassifier(max_depth=depth, random_state=seed),
            ensemble.RandomForestClassifier(**forest),
            ensemble.ExtraTreesClassifier(**forest),
        ]
        if entry.metric == "roc_auc":
            choices += [ensemble.HistGradientBoostingClassifier(**boosting)] * 2
    else:
        choices = [
            linear_model.Ridge(float(10 ** generator.uniform(-1, 2))),
            linear_model.HuberRegressor(max_iter=300),
            neighbors.KNeighborsRegressor(leaf + 2),
            tree.DecisionTreeRegressor(max_depth=depth, random_state=seed),
            ensemble.RandomForestRegressor(**forest),
            ensemble.ExtraTreesRegressor(**forest),
            *[ensemble.HistGradientBoostingRegressor(**boosting)] * 2,
        ]
    return choices[int(generator.integers(len(choices)))]


def blend(entry: ShelfEntry, members: list[Numbers], weights: Numbers) -> Numbers:
    """Weighted mean of ranks, logarithms or standard scores; for labels the weighted majority."""
    from scipy.stats import rankdata

    if entry.metric == "accuracy":
        votes = np.zeros((len(members[0]), 10))
        for labels, weight in zip(members, weights, strict=True):
            votes[np.arange(len(labels)), labels.astype(int)] += weight
        majority: Numbers = votes.argmax(axis=1).astype(float)
        return majority
    if entry.metric == "rmsle":
        logs: Numbers = np.average([np.log1p(member) for member in members], axis=0, weights=weights)
        growth: Numbers = np.expm1(logs)
        return growth
    ranks: Numbers = np.average([rankdata(member) for member in members], axis=0, weights=weights)
    return ranks


def make_board(slug: str, root: Path) -> list[dict[str, str]]:
    """Rows of leaderboard.csv, best private score first."""
    entry = find_entry(slug)
    prepare(slug, root)
    generator = np.random.default_rng([SEED, len(slug)])
    problem = load(entry, root)
    kernels = read_kernels(slug)
    published = [_read(kernel_submission(kernel, root, slug), entry, problem) for kernel in kernels]
    votes = np.array([kernel["votes"] for kernel in kernels], dtype=float)
    fitted = list(fitted_predictions(entry, problem, generator))
    copies = [published[i] for i in generator.choice(len(kernels), COPYING_TEAMS, p=votes / votes.sum())]
    pool = published * 2 + fitted
    blends = []
    for _ in range(BLENDING_TEAMS):
        chosen = generator.choice(len(pool), int(generator.integers(2, 5)), replace=False)
        blends.append(blend(entry, [pool[i] for i in chosen], generator.uniform(0.3, 1.0, len(chosen))))
    names = _team_names(generator)
    rows = []
    for predicted in [*published, *fitted, *copies, *blends]:
        public, private = _grade(entry, problem, predicted, root)
        moment = datetime.fromisoformat(ENABLED) + timedelta(
            minutes=int(generator.integers(SEASON_DAYS * 1440))
        )
        rows.append(
            {
                "team_name": next(names),
                "public_score": f"{public:.5f}",
                "private_score": f"{private:.5f}",
                "submission_date": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return sorted(rows, key=lambda row: float(row["private_score"]), reverse=entry.higher_is_better)


def _read(file: Path, entry: ShelfEntry, problem: TabularProblem) -> Numbers:
    submission = pd.read_csv(file).set_index("id")
    values: Numbers = submission.reindex(problem.ids)[entry.target].to_numpy(dtype=float)
    return values


def _grade(entry: ShelfEntry, problem: TabularProblem, predicted: Numbers, root: Path) -> tuple[float, float]:
    file = root / "cache" / f"board-{entry.slug}.csv"
    pd.DataFrame({"id": problem.ids, entry.target: predicted}).to_csv(file, index=False)
    try:
        return public_and_private_score(file, root, entry.slug)
    finally:
        file.unlink()


def _team_names(generator: np.random.Generator) -> Iterator[str]:
    pairs = [f"{adjective} {noun}" for adjective in ADJECTIVES.split() for noun in NOUNS.split()]
    for pair in generator.permutation(pairs):
        yield str(pair)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_board", description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="competitions (default: all)")
    parser.add_argument("--root", type=Path, default=Path("state/mle_live"), help="where data are prepared")
    options = parser.parse_args(arguments)
    for slug in options.slugs or [entry.slug for entry in list_shelf()]:
        rows = make_board(slug, options.root)
        with (CONTENT / slug / "leaderboard.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        print(f"{slug}: {len(rows)} teams, best {rows[0]['private_score']}, last {rows[-1]['private_score']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
