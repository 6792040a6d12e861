"""What the offline policy knows to propose, by modality: the baseline first, then what improves on it."""

from __future__ import annotations

from collections.abc import Mapping

from comind.offline.shelf import Variant
from mle_live.layout.tables import Modality

TABULAR = (
    Variant(
        "Linear model on one-hot features",
        "linear",
        "Standardise numbers, one-hot encode categories and small integers, fit a regularised linear model.",
        ("dates",),
        {"strength": 1.0},
        words=r"LogisticRegression|Ridge|LinearRegression|OneHotEncoder",
    ),
    Variant(
        "Histogram gradient boosting",
        "boosting",
        "Gradient boosting on histograms with native categories and missing values, stopped early.",
        ("dates",),
        {"learning_rate": 0.1, "max_iter": 200, "max_leaf_nodes": 31},
        words=r"HistGradientBoosting|GradientBoosting|LGBM|XGB|CatBoost",
    ),
    Variant(
        "Extremely randomised trees",
        "extra_trees",
        "Many randomised trees on ordinal codes, averaged; errors differ from those of boosting.",
        ("dates",),
        {"n_estimators": 150, "min_samples_leaf": 3, "max_features": 0.8},
        words=r"ExtraTrees|RandomForest",
    ),
    Variant(
        "Network with category embeddings",
        "torch_table",
        "A small PyTorch network: a vector for each category, numbers encoded by quantile bins, dropout.",
        ("dates",),
        {"hidden": (128, 64), "dropout": 0.2, "epochs": 10, "batch": 256, "learning_rate": 2e-3},
        words=r"MLP|torch|keras|Dense",
        needs="torch",
        support=0.5,
    ),
    Variant(
        "Neural network on scaled and one-hot features",
        "mlp",
        "A small multi-layer perceptron on standardised numbers and one-hot categories, stopped early.",
        ("dates", "cyclical"),
        {"hidden": (64, 32), "alpha": 1e-3, "max_iter": 25},
        words=r"MLP|torch|keras|Dense",
    ),
    Variant(
        "Nearest neighbours on scaled features",
        "neighbours",
        "Distance-weighted nearest neighbours on standardised features, as a member that errs differently.",
        ("dates",),
        {"n_neighbors": 25},
        max_rows=5_000,
        words=r"KNeighbors",
    ),
    Variant(
        "Bagged boosting over three seeds",
        "boosting",
        "Average three slower boosted models that see different columns and seeds.",
        ("dates", "cyclical"),
        {"learning_rate": 0.05, "max_iter": 400, "max_leaf_nodes": 24, "max_features": 0.5, "bags": 3},
        after="Histogram gradient boosting",
    ),
    Variant(
        "Boosting with slower learning and more trees",
        "boosting",
        "Halve the learning rate, allow more trees, regularise the leaves.",
        ("dates", "cyclical"),
        {"learning_rate": 0.05, "max_iter": 500, "max_leaf_nodes": 24, "l2_regularization": 1.0},
        after="Histogram gradient boosting",
    ),
    Variant(
        "Boosting with ratios, counts and target encoding",
        "boosting",
        "Add ratios of the strongest numbers, category counts and category means encoded inside the folds.",
        ("dates", "ratios", "counts", "target_encoding"),
        {"learning_rate": 0.06, "max_iter": 400, "max_leaf_nodes": 31, "l2_regularization": 1.0},
        after="Histogram gradient boosting",
    ),
    Variant(
        "Linear model with pair crosses and splines",
        "linear",
        "Bend numbers with splines and cross small categories in pairs: interactions for a linear model.",
        ("dates", "cyclical", "crosses", "splines"),
        {"strength": 0.3},
        after="Linear model on one-hot features",
    ),
    Variant(
        "Deeper forest with counts and ratios",
        "extra_trees",
        "More and deeper randomised trees on counts and ratios as well.",
        ("dates", "cyclical", "ratios", "counts"),
        {"n_estimators": 300, "min_samples_leaf": 2, "max_features": 0.7},
        after="Extremely randomised trees",
    ),
    Variant(
        "Wider neural network, three seeds",
        "mlp",
        "A wider perceptron, averaged over three seeds.",
        ("dates", "cyclical"),
        {"hidden": (128, 64), "alpha": 1e-3, "max_iter": 25, "bags": 3},
        after="Neural network on scaled and one-hot features",
    ),
    Variant(
        "Embedding network with crosses, three seeds",
        "torch_table",
        "Vectors for pairs of small categories too, averaged over three seeds.",
        ("dates", "cyclical", "crosses"),
        {"hidden": (128, 64), "dropout": 0.3, "epochs": 10, "batch": 256, "learning_rate": 2e-3, "bags": 3},
        after="Network with category embeddings",
        needs="torch",
    ),
)

TEXT = (
    Variant(
        "Word tf-idf and a linear model",
        "tfidf_linear",
        "Tf-idf of words and word pairs with sublinear counts, then a ridge or logistic model.",
        ("words",),
        {"strength": 1.0, "max_features": 40_000},
        words=r"TfidfVectorizer|Ridge|LogisticRegression",
    ),
    Variant(
        "Character n-grams and a linear model",
        "tfidf_linear",
        "Tf-idf of character n-grams inside word borders: robust to spelling and word forms.",
        ("chars",),
        {"strength": 1.0, "max_features": 60_000},
        words=r"char_wb|analyzer=.char",
    ),
    Variant(
        "Latent topics and gradient boosting",
        "topics_boosting",
        "Reduce tf-idf to dense topics, add text statistics, and boost.",
        ("words", "statistics"),
        {"topics": 60, "learning_rate": 0.08, "max_iter": 150},
        words=r"TruncatedSVD|GradientBoosting|LGBM|XGB",
    ),
    Variant(
        "Word evidence ratios and a linear model",
        "evidence_linear",
        "Weigh words by how much more often they stand in high than in low rows, then a linear model.",
        ("words",),
        {"strength": 1.0, "max_features": 40_000},
        words=r"NaiveBayes|MultinomialNB|log_count|r_ = ",
    ),
    Variant(
        "Network on averaged word vectors",
        "torch_text",
        "Learn a vector for each word and word pair in PyTorch, sum them by tf-idf weight, one hidden layer.",
        ("words",),
        {"size": 64, "dropout": 0.3, "epochs": 8, "batch": 64, "learning_rate": 3e-3, "max_features": 30_000},
        words=r"Embedding|torch|keras",
        needs="torch",
        support=0.3,
    ),
    Variant(
        "Words and characters together",
        "tfidf_linear",
        "Join word and character n-grams and text statistics in one linear model.",
        ("words", "chars", "statistics"),
        {"strength": 1.0, "max_features": 60_000},
        after="Word tf-idf and a linear model",
    ),
    Variant(
        "Margin model on words and characters",
        "tfidf_margin",
        "A linear support vector machine on word and character n-grams: its loss forgets what is clear.",
        ("words", "chars"),
        {"strength": 0.3, "max_features": 60_000},
        after="Character n-grams and a linear model",
    ),
    Variant(
        "Evidence ratios with characters and statistics",
        "evidence_linear",
        "Evidence weights for words and characters, with text statistics.",
        ("words", "chars", "statistics"),
        {"strength": 0.5, "max_features": 60_000},
        after="Word evidence ratios and a linear model",
    ),
    Variant(
        "Neural network on latent topics",
        "topics_mlp",
        "A small perceptron on normalised topics and text statistics, averaged over two seeds.",
        ("words", "chars", "statistics"),
        {"topics": 80, "hidden": (64,), "max_iter": 20, "bags": 2},
        after="Latent topics and gradient boosting",
    ),
)

IMAGE = (
    Variant(
        "Logistic regression on pixels",
        "image_linear",
        "Scale the pixels and fit a regularised linear model: the floor that every other model must beat.",
        ("pixels",),
        {"strength": 0.1},
        words=r"LogisticRegression|Ridge",
    ),
    Variant(
        "Random forest on pooled pixels",
        "image_forest",
        "Average the pixels over small windows and fit randomised trees.",
        ("pooled",),
        {"n_estimators": 200},
        words=r"RandomForest|ExtraTrees",
    ),
    Variant(
        "Nearest neighbours on smoothed pixels",
        "image_neighbours",
        "Blur a little so that small shifts cost little distance, then weighted nearest neighbours.",
        ("pooled", "pixels"),
        {"n_neighbors": 4},
        words=r"KNeighbors",
    ),
    Variant(
        "Support vector machine on pixels",
        "image_kernel",
        "A Gaussian kernel on scaled pixels.",
        ("pixels",),
        {"strength": 5.0},
        words=r"SVC|SVR",
    ),
    Variant(
        "Compact convolutional network",
        "torch_image",
        "Five small convolutions in PyTorch with batch normalisation, on copies that shift, turn and zoom.",
        ("planes",),
        {"channels": 8, "dropout": 0.3, "epochs": 20, "batch": 64, "learning_rate": 4e-3},
        words=r"Conv2d|torch|keras|CNN",
        needs="torch",
        support=1.0,
    ),
    Variant(
        "Support vector machine on gradient histograms",
        "image_kernel",
        "Histograms of gradient directions in small cells, normalised by image, and a Gaussian kernel.",
        ("gradients",),
        {"strength": 5.0},
        after="Support vector machine on pixels",
        words=r"hog|gradient_histogram",
    ),
    Variant(
        "Gradient histograms with shifted copies",
        "image_kernel",
        "Train on copies shifted by a pixel too, gradient histograms and pixels together.",
        ("gradients", "pooled", "shifts"),
        {"strength": 5.0},
        after="Support vector machine on pixels",
    ),
    Variant(
        "Wider convolutional network, two seeds",
        "torch_image",
        "Twice the channels, averaged over two seeds where the time allows.",
        ("planes",),
        {"channels": 16, "dropout": 0.4, "epochs": 20, "batch": 64, "learning_rate": 3e-3, "bags": 2},
        after="Compact convolutional network",
        needs="torch",
        least_seconds=180.0,
    ),
    Variant(
        "Neural network on gradient histograms",
        "image_mlp",
        "A small perceptron on gradient histograms and pooled pixels, averaged over two seeds.",
        ("gradients", "pooled"),
        {"hidden": (128,), "max_iter": 40, "bags": 2},
        after="Logistic regression on pixels",
    ),
    Variant(
        "Linear model on gradient histograms",
        "image_linear",
        "Gradient histograms make classes nearly linear: the cheap model on the good features.",
        ("gradients", "pooled"),
        {"strength": 1.0},
        after="Logistic regression on pixels",
    ),
)

AUDIO = (
    Variant(
        "Logistic regression on spectrograms",
        "image_linear",
        "Each sound as a small picture of power by frequency and time, and a regularised linear model.",
        ("pooled",),
        {"strength": 0.1},
        words=r"LogisticRegression|Ridge|spectrogram",
    ),
    Variant(
        "Random forest on spectrograms",
        "image_forest",
        "Randomised trees on the same pictures, which need not be scaled.",
        ("pooled",),
        {"n_estimators": 200},
        words=r"RandomForest|ExtraTrees",
    ),
    Variant(
        "Support vector machine on spectrograms",
        "image_kernel",
        "A Gaussian kernel on the same pictures.",
        ("pixels",),
        {"strength": 5.0},
        words=r"SVC|SVR",
    ),
)

PAIRS = (
    Variant(
        "Linear model on a pixel and its background",
        "image_linear",
        "The brightness of a pixel and of the median around it, in two sizes, and a linear model.",
        ("background",),
        {"strength": 1.0},
        words=r"median|background|Ridge",
    ),
    Variant(
        "Boosting on a pixel's surroundings",
        "boosting",
        "Gradient boosting on the pixel, its background and its neighbours.",
        ("background", "neighbours"),
        {"learning_rate": 0.1, "max_iter": 150},
        words=r"HistGradientBoosting|GradientBoosting|LGBM|XGB",
    ),
    Variant(
        "Randomised trees on local statistics",
        "image_forest",
        "Extremely randomised trees on darkest, brightest, mean and spread nearby.",
        ("background", "local"),
        {"n_estimators": 60, "min_samples_leaf": 5},
        words=r"RandomForest|ExtraTrees",
    ),
    Variant(
        "Boosting on surroundings and local statistics",
        "boosting",
        "All of a pixel's surroundings together, with slower learning.",
        ("background", "neighbours", "local"),
        {"learning_rate": 0.06, "max_iter": 300},
        after="Boosting on a pixel's surroundings",
    ),
)

BLEND = "Blend of published predictions"
SHELF: Mapping[Modality, tuple[Variant, ...]] = {
    "tabular": TABULAR, "text": TEXT, "image": IMAGE, "audio": AUDIO, "image-to-image": PAIRS,
}  # fmt: skip


def variants_for(modality: Modality, rows: int, packages: frozenset[str]) -> list[Variant]:
    """What fits the data's size and the installed packages, the baseline first. `rows` are train.csv's."""
    return [
        variant
        for variant in SHELF[modality]
        if rows <= variant.max_rows and (not variant.needs or variant.needs in packages)
    ]
