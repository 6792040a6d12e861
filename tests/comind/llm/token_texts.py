"""Texts of the kinds that prompts are made of, from a seed, and their true counts in three vocabularies.

`TRUE_COUNTS` was taken once with real tokenizers: kind → for each seed from 0 the tokens of
`text(kind, seed)` by o200k_base, Llama 3's vocabulary and Qwen's, in this order.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

_PROSE = """the model of a train fold score feature column target mean split value error best seed tree depth
learning rate loss epoch batch image label category missing encode predict submission validation leaderboard
gradient boosting cross entropy regularization standard deviation interpolation hyperparameter"""
_CODE = (
    "import pandas as pd\n", "train = pd.read_csv('/kaggle/input/fruit/train.csv')\n",
    "def fit(model, X, y, *, folds=5):\n", "    for fold, (a, b) in enumerate(kf.split(X, y)):\n",
    "        model.fit(X.iloc[a], y.iloc[a])\n", "    return np.mean(scores), np.std(scores)\n",
    "print(f'fold {fold}: {score:.4f}')\n", "df['ratio'] = df['height'] / (df['weight'] + 1e-9)\n",
    "params = {'n_estimators': 300, 'max_depth': 6, 'learning_rate': 0.05}\n",
    "x = self.relu(self.bn1(self.conv1(x)))  # (batch, 64, 32, 32)\n",
    "oof[valid_idx] = clf.predict_proba(X_valid)[:, 1]\n", "\n", "if __name__ == '__main__':\n",
)  # fmt: skip
_CHINESE = (
    "训练集包含每个样本的特征和目标变量。", "评估指标是平均绝对误差，越小越好。",
    "我们使用五折交叉验证来选择模型参数。", "提交文件必须包含编号和预测值两列。",
    "数据来自不同城市的自行车租赁记录，", "请注意时间序列不能随机划分。",
)  # fmt: skip
_OTHER_SCRIPTS = (
    "Обучающая выборка содержит признаки и целевую переменную. ",
    "La précision du modèle dépend des données. ",
    "تحتوي بيانات التدريب على الميزات والمتغير المستهدف. ", "Die Größe der Stichprobe für jede Übung. ",
    "学習データには特徴量と目的変数が含まれています。", "प्रशिक्षण डेटा में विशेषताएँ हैं। ",
    "훈련 데이터에는 특징과 목표 변수가 있습니다. ",
)  # fmt: skip


def _table(r: random.Random) -> str:
    """As `describe()` prints it: right-aligned columns of six decimals."""
    names = [f"feature_{n}" for n in range(r.randrange(2, 7))]
    lines = ["       " + "".join(f"{name:>14}" for name in names)]
    for row in ("count", "mean", "std", "min", "25%", "50%", "75%", "max"):
        scale = 10.0 ** r.randrange(0, 5)
        lines.append(f"{row:<7}" + "".join(f"{r.gauss(0, 1) * scale:14.6f}" for _ in names))
    return "\n".join(lines)


def _log(r: random.Random) -> str:
    return "\n".join(
        f"Epoch {n:3d}/50 - {r.random() * 9:.1f}s - loss: {r.random():.4f} - val_loss: {r.random():.4f} "
        f"- lr: {10 ** -r.uniform(2, 5):.2e}"
        for n in range(1, 20)
    )


def _records(r: random.Random) -> str:
    rows = [
        {"id": r.randrange(10**6), "score": r.random(), "name": f"k{r.randrange(99)}", "tags": ["a", None]}
        for _ in range(12)
    ]
    return json.dumps(rows)


def _spaces(r: random.Random) -> str:
    return "".join(
        " " * r.randrange(1, 60) + r.choice(("x", "\n", "\t7", "\n\n\n", "word")) for _ in range(60)
    )


def _letters(r: random.Random) -> str:
    return " ".join(
        "".join(r.choices(string.ascii_lowercase, k=r.randrange(3, 12))) for _ in range(90)
    )  # fmt: skip


def _csv(r: random.Random) -> str:
    rows = [[f"{r.gauss(0, 3):.{r.randrange(1, 9)}f}" for _ in range(6)] for _ in range(20)]
    return "\n".join(map(",".join, rows))


def _hashes(r: random.Random) -> str:
    return "\n".join(f"{r.getrandbits(128):032x} 0x{r.getrandbits(48):012x}" for _ in range(12))


def _uuids(r: random.Random) -> str:
    numbers = ((r.getrandbits(32), r.getrandbits(16), r.getrandbits(12)) for _ in range(30))
    return " ".join(f"{a:08x}-{b:04x}-4{c:03x}" for a, b, c in numbers)


def _emoji(r: random.Random) -> str:
    return "".join(chr(r.randrange(0x1F300, 0x1F64F)) + r.choice(("", " ")) for _ in range(90))


def _bars(r: random.Random) -> str:
    return "\r".join(
        f"{n}%|{'█' * (n // 5):<20}| {n}/100 [00:{n % 60:02d}<00:12, {r.random() * 50:.2f}it/s]"
        for n in range(0, 100, 9)
    )


_KINDS: dict[str, Callable[[random.Random], str]] = {
    "csv": _csv,
    "table": _table,
    "integers": lambda r: " ".join(str(r.randrange(10 ** r.randrange(1, 18))) for _ in range(80)),
    "digits": lambda r: "".join(r.choices(string.digits, k=700)),
    "hex": _hashes,
    "uuid": _uuids,
    "base64": lambda r: base64.b64encode(r.randbytes(450)).decode(),
    "prose": lambda r: " ".join(r.choices(_PROSE.split(), k=120)).capitalize() + ".",
    "letters": _letters,
    "code": lambda r: "".join(r.choices(_CODE, k=25)),
    "log": _log,
    "json": _records,
    "chinese": lambda r: "".join(r.choices(_CHINESE, k=15)),
    "scripts": lambda r: "".join(r.choices(_OTHER_SCRIPTS, k=12)),
    "emoji": _emoji,
    "bars": _bars,
    "spaces": _spaces,
    "signs": lambda r: "".join(r.choices(string.punctuation + " ", k=400)),
    "genome": lambda r: "".join(r.choices("ACGT", k=500)),
}
KINDS = tuple(_KINDS)
SEEDS = 5


def text(kind: str, seed: int) -> str:
    return _KINDS[kind](random.Random(f"{kind} {seed}"))


TRUE_COUNTS: dict[str, list[tuple[int, int, int]]] = {
    "csv": [(586, 586, 882), (592, 592, 900), (602, 602, 930), (603, 603, 938), (591, 591, 895)],
    "table": [(184, 184, 325), (125, 125, 211), (239, 239, 412), (237, 237, 404), (125, 125, 205)],
    "integers": [(346, 346, 791), (331, 331, 747), (340, 340, 777), (365, 365, 850), (355, 355, 826)],
    "digits": [(234, 234, 700), (234, 234, 700), (234, 234, 700), (234, 234, 700), (234, 234, 700)],
    "hex": [(362, 361, 504), (360, 359, 500), (344, 343, 511), (341, 342, 508), (354, 354, 505)],
    "uuid": [(368, 367, 510), (366, 365, 507), (375, 376, 495), (372, 374, 510), (369, 367, 509)],
    "base64": [(407, 426, 441), (413, 431, 447), (412, 431, 442), (413, 425, 448), (415, 434, 445)],
    "prose": [(131, 127, 127), (128, 123, 123), (130, 127, 127), (126, 123, 123), (127, 123, 123)],
    "letters": [(358, 376, 379), (343, 356, 358), (338, 356, 356), (362, 372, 374), (366, 377, 379)],
    "code": [(366, 360, 363), (357, 354, 369), (469, 465, 492), (342, 340, 352), (372, 369, 387)],
    "log": [(759, 759, 902), (759, 759, 902), (759, 759, 902), (759, 759, 902), (759, 759, 902)],
    "json": [(422, 422, 605), (421, 421, 600), (420, 420, 598), (423, 423, 605), (422, 422, 603)],
    "chinese": [(171, 190, 136), (185, 206, 151), (189, 210, 148), (185, 207, 145), (170, 186, 145)],
    "scripts": [(159, 192, 215), (144, 178, 190), (138, 163, 159), (160, 196, 220), (144, 171, 179)],
    "emoji": [(204, 248, 192), (200, 244, 171), (207, 244, 179), (209, 248, 168), (208, 248, 170)],
    "bars": [(346, 346, 461), (346, 346, 460), (346, 346, 458), (346, 346, 460), (346, 346, 460)],
    "spaces": [(125, 125, 125), (130, 127, 127), (125, 123, 123), (121, 118, 118), (125, 122, 122)],
    "signs": [(258, 253, 254), (255, 247, 248), (262, 254, 254), (266, 257, 259), (266, 262, 262)],
    "genome": [(254, 256, 256), (257, 260, 260), (250, 252, 252), (261, 258, 258), (258, 258, 258)],
}  # fmt: skip
