"""PyTorch networks: a compact CNN for images, embeddings for tables, averaged word vectors for texts.

The code written here needs torch where the notebook runs; writing it does not. `tabular`, `image` and `text`
prepare the features, and the cells of cross-validation and prediction are those of every other recipe.
"""

from __future__ import annotations

from comind.offline.recipes.frame import lines
from comind.offline.recipes.problem import Problem
from comind.offline.shelf import Recipe

_SHARE = 0.36
"""Of the time for one cell, for the fits of all folds: cross-validation stops itself at 0.4 of it."""

_SETUP = """
import os

import torch
from torch import nn
from torch.nn import functional as F

granted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
if granted.isdigit():
    torch.set_num_threads(int(granted))
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
FIT_SECONDS = {seconds:.1f}  # for one fit with all its bags
PARAMS = RECIPE["params"]
torch.optim.AdamW([torch.zeros(1)])  # the first optimizer loads half of torch: not in the time of a fold
print("torch", torch.__version__, "on", DEVICE, "with", torch.get_num_threads(), "threads")
"""

_TAKE = '''
def take(X, rows):
    return X[rows]


def tensors(X, rows):
    """What the network reads of these rows."""
    return (torch.from_numpy(X[rows]).to(DEVICE),)
'''

_TAKE_SPARSE = '''
def take(X, rows):
    return X[rows]


def tensors(X, rows):
    """Word numbers, where each text begins among them, and the weights of the words."""
    part = X[rows]
    words, starts = torch.from_numpy(part.indices), torch.from_numpy(part.indptr[:-1])
    weights = torch.from_numpy(part.data.astype(np.float32))
    return words.long().to(DEVICE), starts.long().to(DEVICE), weights.to(DEVICE)
'''

_OBJECTIVE = {
    "classes": """
OUTPUTS = len(CLASSES)


def objective(output, goal):
    return F.cross_entropy(output, goal)


def goals(target):
    return torch.from_numpy(target).long().to(DEVICE)


def predictions(output):
    return output.softmax(dim=1)
""",
    "flags": """
OUTPUTS = y.shape[1]


def objective(output, goal):
    return F.binary_cross_entropy_with_logits(output, goal)


def goals(target):
    return torch.from_numpy(target).float().to(DEVICE)


def predictions(output):
    return output.sigmoid()
""",
    "numbers": """
OUTPUTS = y.shape[1]
CENTRE, SCALE = y.mean(axis=0), y.std(axis=0) + 1e-9  # of the training part: one scale for all folds


def objective(output, goal):
    return F.mse_loss(output, goal)


def goals(target):
    return torch.from_numpy((target - CENTRE) / SCALE).float().to(DEVICE)


def predictions(output):
    return output * torch.from_numpy(SCALE).to(DEVICE) + torch.from_numpy(CENTRE).to(DEVICE)
""",
}

_FIT = '''
def rate(share):
    """One cycle of the learning rate over the shares 0 to 1 of a fit: up for a fifth, then down a cosine."""
    return max(share / 0.2, 0.05) if share < 0.2 else (1 + np.cos(np.pi * (share - 0.2) / 0.8)) / 2


def fit_once(X, target, others, params, seed):
    """One network. Its cycle ends with its epochs or with its seconds, whichever come first."""
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network, goal, count = build(params).to(DEVICE), goals(target), len(target)
    decay = params.get("weight_decay", 0.01)
    optimizer = torch.optim.AdamW(network.parameters(), lr=params["learning_rate"], weight_decay=decay)
    started, share = time.monotonic(), 0.0
    size = max(16, min(params["batch"], count // 16))
    epochs = max(params["epochs"], 300 // max(count // size, 1))  # few rows: more rounds
    for epoch in range(epochs):
        network.train()
        losses, rows = [], order.permutation(count)
        for start in range(0, count, size):
            batch = rows[start : start + size]
            share = max((epoch + start / count) / epochs, (time.monotonic() - started) / FIT_SECONDS)
            if share >= 1:
                break
            if len(batch) < 2:
                continue  # normalising over a batch needs two rows
            for group in optimizer.param_groups:
                group["lr"] = params["learning_rate"] * rate(share)
            loss = objective(network(*tensors(X, batch)), goal[torch.from_numpy(batch).to(DEVICE)])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.detach())
        if losses:
            reached = max((epoch + 1) / epochs, (time.monotonic() - started) / FIT_SECONDS)
            total = max(epoch + 1, round((epoch + 1) / reached))
            print(f"epoch {epoch + 1}/{total} loss: {torch.stack(losses).mean().item():.4f}", flush=True)
        if share >= 1:
            break
    return [forecast(network, other) for other in others]


def fit_predict(fit_rows, *others, params=None):
    """Predictions for each of `others`, averaged over as many bags as the time allows; one at least."""
    params, started, bags = params or PARAMS, time.monotonic(), []
    for bag in range(params.get("bags", 1)):
        if bag and (time.monotonic() - started) * (bag + 1) / bag > FIT_SECONDS:
            break
        bags.append(
            fit_once(take(X_train, fit_rows), y[fit_rows], others, params, RECIPE["seed"] + bag)
        )
    return [np.mean(parts, axis=0) for parts in zip(*bags)]


def forecast(network, X):
    network.eval()
    chunks = np.array_split(np.arange(X.shape[0]), X.shape[0] // 512 + 1)
    with torch.no_grad():
        output = torch.cat([network(*tensors(X, rows)) for rows in chunks if len(rows)])
        return predictions(output.double()).cpu().numpy()
'''

_IMAGE = '''
class Convolutions(nn.Module):
    """Five convolutions, two of them halving the image, and one linear layer; copies move while it learns."""

    def __init__(self, channels, dropout):
        super().__init__()
        widths = (1, channels, 2 * channels, 2 * channels, 4 * channels, 4 * channels)
        layers = []
        for before, after, stride in zip(widths, widths[1:], (1, 2, 1, 2, 1)):
            conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
        flat = 4 * channels * (SIDE // 4) ** 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(flat, OUTPUTS))

    def forward(self, x):
        x = moved(x) if self.training else x
        return self.layers(x.contiguous(memory_format=torch.channels_last))


def moved(x):
    """Each image shifted by up to two pixels, turned by up to 9 degrees, and zoomed by up to a tenth."""
    draw = torch.rand(4, len(x), device=x.device) * 2 - 1
    angle, zoom, shift = draw[0] * 0.16, 1 + draw[1] * 0.1, draw[2:] * 4 / SIDE
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    maps = torch.stack([torch.stack([cos, -sin, shift[0]]), torch.stack([sin, cos, shift[1]])])
    grid = F.affine_grid(maps.permute(2, 0, 1), x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def build(params):
    network = Convolutions(params["channels"], params["dropout"])
    return network.to(memory_format=torch.channels_last)  # a third faster on processors
'''

_MATRIX = '''
def pieces(values, bins=16):
    """How far each value is through each bin; the bins hold equally many of the training rows."""
    known = values[: len(train)]
    known = known[~np.isnan(known)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1))) if len(known) else np.zeros(1)
    inside = np.clip((values[:, None] - edges[:-1]) / np.diff(edges), 0, 1)
    scaled = np.clip((values - edges.mean()) / (edges.std() + 1e-9), -3, 3)
    return np.nan_to_num(np.column_stack([inside, scaled, np.isnan(values)]))


blocks = [pieces(table[column].to_numpy(float)) for column in NUM]
codes = [pd.factorize(table[column], use_na_sentinel=False)[0] for column in CAT]
LEVELS = [int(code.max()) + 1 for code in codes]
numbers = np.column_stack(blocks) if blocks else np.zeros((len(table), 0))
WIDTH = numbers.shape[1]
matrix = np.column_stack([numbers, *codes]).astype(np.float32)
X_train, X_valid, X_test = (matrix[rows] for rows in rows_by_part)
'''

_TABLE = '''
class Table(nn.Module):
    """A vector for each category's level beside the numbers, then layers with dropout."""

    def __init__(self, hidden, dropout):
        super().__init__()
        self.vectors = nn.ModuleList(nn.Embedding(count, min(16, (count + 1) // 2)) for count in LEVELS)
        width = WIDTH + sum(vector.embedding_dim for vector in self.vectors)
        layers = []
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, OUTPUTS))

    def forward(self, x):
        codes = x[:, WIDTH:].long()
        known = [vector(codes[:, j]) for j, vector in enumerate(self.vectors)]
        return self.layers(torch.cat([x[:, :WIDTH], *known], dim=1))


def build(params):
    return Table(params["hidden"], params["dropout"])
'''

_TEXT = '''
class Words(nn.Module):
    """The weighted sum of a text's word vectors, then one hidden layer."""

    def __init__(self, size, dropout):
        super().__init__()
        self.vectors = nn.EmbeddingBag(X_train.shape[1], size, mode="sum")
        nn.init.normal_(self.vectors.weight, std=0.1)
        layers = nn.Linear(size, size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size, OUTPUTS)
        self.layers = nn.Sequential(nn.Dropout(dropout), *layers)

    def forward(self, words, starts, weights):
        return self.layers(self.vectors(words, starts, per_sample_weights=weights))


def build(params):
    return Words(params["size"], params["dropout"])
'''


def model_code(problem: Problem, recipe: Recipe) -> str:
    """Definitions of `build`, `fit_predict` and `take`, as `models` gives them for scikit-learn."""
    seconds = max(2.0, _SHARE * problem.seconds / recipe.folds)
    network = {"image": _IMAGE, "text": _TEXT, "tabular": lines(_MATRIX, _TABLE)}[recipe.modality]
    return lines(
        _SETUP.format(seconds=seconds),
        _TAKE_SPARSE if recipe.modality == "text" else _TAKE,
        _OBJECTIVE[problem.kind],
        network,
        _FIT,
    )


REFINEMENTS = {
    "torch_image": "learning_rate=PARAMS['learning_rate'] * 0.6, dropout=0.4",
    "torch_table": "learning_rate=PARAMS['learning_rate'] * 0.5, hidden=(256,)",
    "torch_text": "learning_rate=PARAMS['learning_rate'] * 0.5, size=32",
}
