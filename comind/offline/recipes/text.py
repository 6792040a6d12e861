"""Features and models for texts: n-grams, evidence ratios, latent topics, text statistics."""

from __future__ import annotations

from comind.offline.recipes.frame import lines
from comind.offline.recipes.models import model_code
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe

_FIND = """
words = [c for c in INPUTS if not pd.api.types.is_numeric_dtype(train[c])]
lengths = {c: train[c].astype(str).str.len().mean() for c in words}
TEXT = [max(lengths, key=lengths.get)]
"""

_JOIN = """
texts = [frame[TEXT].fillna("").astype(str).agg(" ".join, axis=1) for frame in (train, valid, test)]
corpus = pd.concat(texts, ignore_index=True)
sizes = np.cumsum([len(part) for part in texts])[:-1]
"""

_VECTORISE = """
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

LIMIT = RECIPE["params"].get("max_features", 30_000)
vectorisers = {vectorisers}
blocks = [v.fit(texts[0]).transform(corpus) for v in vectorisers]
"""

_WORDS = r"""TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, max_features=LIMIT, sublinear_tf=True,
        token_pattern=r"(?u)\b\w[\w']*\b|[!?]",  # one-letter words, apostrophes and signs matter
    )"""
_CHARS = (
    'TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, max_features=LIMIT, sublinear_tf=True)'
)

_STATISTICS = r"""
def statistics(text):
    words = text.str.split().str.len()
    columns = {
        "words": np.log1p(words), "characters": np.log1p(text.str.len()),
        "capitals": text.str.count(r"[A-Z]"), "exclamations": text.str.count("!"),
        "questions": text.str.count(r"\?"),
        "negations": text.str.lower().str.count(r"\b(?:not|no|never)\b|n't"),
        "contrasts": text.str.lower().str.count(r"\b(?:but|although|despite|however)\b"),
    }
    X = np.column_stack([np.asarray(values, float) for values in columns.values()])
    return (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9)

dense = statistics(corpus)
numbers = [c for c in INPUTS if c not in TEXT and pd.api.types.is_numeric_dtype(train[c])]
if numbers:
    extra = pd.concat([frame[numbers] for frame in (train, valid, test)]).astype(float)
    extra = ((extra - extra.mean()) / (extra.std() + 1e-9)).fillna(0.0)
    dense = np.column_stack([dense, extra.to_numpy()])
"""

_TOPICS = """
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize

counts = sparse.hstack(blocks, format="csr")
svd = TruncatedSVD(RECIPE["params"].get("topics", 100), n_iter=3, random_state=RECIPE["seed"])
svd.fit(counts[: sizes[0]])
X = normalize(svd.transform(counts)).astype(np.float32) * {scale}
"""

_PARTS = """
X_train, X_valid, X_test = (X[rows] for rows in np.split(np.arange(X.shape[0]), sizes))
print("features:", X.shape)
"""

_EVIDENCE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Evidence(TransformerMixin, BaseEstimator):
    \"\"\"Scales each column by how much more it weighs in high rows than in low rows of the target.\"\"\"

    def fit(self, X, target):
        high = target > np.median(target) if len(np.unique(target)) > 2 else target == np.max(target)
        share_high = X[high].sum(axis=0) + 1.0
        share_low = X[~high].sum(axis=0) + 1.0
        ratio = np.log((share_high / share_high.sum()) / (share_low / share_low.sum()))
        self.weights_ = sparse.diags(np.asarray(ratio).ravel() + np.sign(np.asarray(ratio).ravel()) * 0.1)
        return self

    def transform(self, X):
        return (X @ self.weights_).tocsr()
"""


def feature_code(problem: Problem, recipe: Recipe) -> str:
    names = problem.data.text_columns
    wanted = recipe.features
    vectorisers = [_WORDS] * ("words" in wanted or "chars" not in wanted) + [_CHARS] * ("chars" in wanted)
    statistics = "statistics" in wanted
    if recipe.family.startswith("topics"):
        scale = "3.0" if recipe.family == "topics_mlp" else "1.0"
        if recipe.family == "topics_boosting":
            joined = "X = np.column_stack([X, dense])" if statistics else ""
        else:
            joined = "X = np.column_stack([X, 0.1 * dense])" if statistics else ""
        matrix = lines(_TOPICS.format(scale=scale), joined)
    elif recipe.family == "evidence_linear":
        # evidence is a ratio of non-negative weights: standardised statistics do not belong in it
        matrix = 'X = sparse.hstack(blocks, format="csr")'
        statistics = False
    else:
        dense = ", sparse.csr_matrix(0.1 * dense)" if statistics else ""
        matrix = f'X = sparse.hstack([*blocks{dense}], format="csr")'
    return lines(
        f"TEXT = {list(names)!r}" if names else _FIND,
        _JOIN,
        _VECTORISE.format(vectorisers="[\n    " + ",\n    ".join(vectorisers) + ",\n]"),
        _STATISTICS if statistics else "",
        matrix,
        _PARTS,
    )


def models(problem: Problem, recipe: Recipe) -> str:
    boosting = "CATEGORICAL = None" if recipe.family == "topics_boosting" else ""
    if recipe.family == "evidence_linear":
        head = "from sklearn.pipeline import make_pipeline"
        return lines(
            head, _EVIDENCE, model_code(problem, "linear", prepare="make_pipeline(Evidence(), {model})")
        )
    return lines(boosting, model_code(problem, recipe.family))


REFINEMENTS = {
    "tfidf_linear": "strength=PARAMS['strength'] * 3",
    "evidence_linear": "strength=PARAMS['strength'] * 0.3",
    "topics_boosting": "max_leaf_nodes=15, max_features=0.3",
    "tfidf_margin": "strength=PARAMS['strength'] * 3",
    "topics_mlp": "alpha=0.05",
}
