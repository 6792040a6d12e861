"""The analyzer: static analysis of public code, and the advice in discussions. Nothing read is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from comind.offline.prompts import fields, quoted, sections
from kaggle_runner.texts import clip, shortened

_ESTIMATORS = re.compile(
    r"(?:Classifier|Regressor|Regression|Ridge|Lasso|ElasticNet|SVC|SVR|NB|Vectorizer|Encoder|Scaler|Transformer"
    r"|PCA|SVD|Imputer|Conv2d|Linear|KFold|StratifiedKFold|GroupKFold|LinearDiscriminantAnalysis)(?:CV)?$"
)
_READS = re.compile(r"read_csv|read_parquet|read_json|Image\.open|imread")
_WRITES = re.compile(r"to_csv|\.to_parquet|savetxt")
_FITS = re.compile(r"\.fit(?:_transform|_resample)?\(|cross_val|lgb\.train|xgb\.train")
_BLENDS = re.compile(
    r"0?\.\d+ ?\* ?\w[^\n]*\+ ?0?\.\d+ ?\*|rankdata\(|\bblend|VotingC|VotingR|Stacking", re.I
)
_BUILDS = re.compile(r"\b[A-Z]\w*(?:Classifier|Regressor|Regression|Ridge|SVC|SVR|Vectorizer|Encoder)\w*\(")
_KEPT = (_READS, _WRITES, _FITS, _BUILDS)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget)\b[^.]{0,40}\b(?:instruction|prompt|rule)|\b(?:print|reveal|send|show)\b[^.]{0,30}"
    r"\b(?:api[ _-]?key|password|secret|token|system prompt)",
    re.I,
)
_ADVICE = re.compile(
    r"\b(?:try|use|using|add|adding|avoid|drop|encode|blend|average|tune|clip|scale|validate|split|group|stratif\w*|"
    r"feature\w*|improv\w*|better|worse|helps?|leak\w*|overfit\w*|cv|fold\w*|instead|should|works?|gain\w*|"
    r"n-?gram\w*|log1p|interaction\w*|boost\w*|weights?|seeds?|augment\w*|normali[sz]\w*|do not|never|cure|"
    r"leav(?:e|ing)|logarithm|regulari[sz]\w*|smooth\w*|predict\w*|important|matters?)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What static analysis found in a kernel."""

    imports: tuple[str, ...] = ()
    estimators: tuple[str, ...] = ()
    """Calls as written, for instance `Ridge(alpha=2.0)`."""
    validation: tuple[str, ...] = ()
    blending: bool = False
    post_processing: tuple[str, ...] = ()
    pitfalls: tuple[str, ...] = ()
    abstract: tuple[str, ...] = field(default=())
    """The lines that read data, define models, fit, and write the submission."""


def kernel_reply(message: str) -> str:
    body = sections(message).get("Artifact", "")
    heading = body.partition("<<<")[0]
    findings = inspect_source(quoted(body))
    prose = _kernel_prose(findings)
    code = "\n".join(findings.abstract)
    return f"{prose}\n\n```python\n{code}\n```\n===SEPARATOR===\n{_kernel_marks(heading, findings)}"


def inspect_source(source: str) -> Findings:
    """Findings of Python source; of unparsable text only what its lines show."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("!", "%"))]
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        telling = (line for line in lines if any(p.search(line) for p in (_READS, _WRITES, _FITS)))
        return Findings(pitfalls=("the code does not parse as Python",), abstract=tuple(telling)[:60])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [(name, call) for call in calls if (name := _name(call.func))]
    estimators = _unique(
        shortened(ast.unparse(call), 200)
        for name, call in named
        if _ESTIMATORS.search(name) and name[0].isupper()
    )
    validation = _unique(
        shortened(ast.unparse(call), 200)
        for name, call in named
        if re.search(r"KFold$|cross_val|train_test_split|TimeSeriesSplit|ShuffleSplit", name)
    )
    post = _unique(
        name for name, _ in named if name in ("clip", "rint", "round", "expm1", "rankdata", "rank")
    )
    text = "\n".join(lines)
    return Findings(
        imports=_unique(_modules(tree)),
        estimators=estimators,
        validation=validation,
        blending=bool(_BLENDS.search(text)),
        post_processing=post,
        pitfalls=_pitfalls(text, validation),
        abstract=tuple(_abstract(tree)),
    )


def discussion_reply(message: str) -> str:
    body = sections(message).get("Artifact", "")
    heading, text = body.partition("<<<")[0], quoted(body)
    advice, commands = read_discussion(text)
    reported = [
        f"The text holds a request to its reader, which was not followed: “{shortened(one, 120)}”"
        for one in commands
    ]
    ideas = advice or [shortened(" ".join(text.split()), 200) or "The discussion is empty."]
    votes = _votes(heading)
    marks = (
        f"novelty: {min(8, 3 + len(advice) // 2)} - {len(advice)} sentences hold advice\n"
        "feasibility: 7 - each piece of advice is small\n"
        f"effectiveness: {min(8, 4 + votes // 20)} - judged by {votes} votes; nothing was measured here\n"
        "efficiency: 7 - nothing in it asks for heavy computing"
    )
    patterns = advice[:3] or ["no advice was recognised"]
    pitfalls = [
        one for one in advice if re.search(r"avoid|leak|overfit|worse|careful|never", one, re.I)
    ] + reported
    return (
        "\n".join(f"- {idea}" for idea in ideas)
        + f"\n===SEPARATOR===\n{marks}\n{_list('patterns', patterns)}\n{_list('pitfalls', pitfalls)}"
    )


def read_discussion(text: str) -> tuple[list[str], list[str]]:
    """(sentences with advice, sentences that address the reader's own instructions)."""
    plain = re.sub(r"```.*?```", " ", text, flags=re.S)
    advice: list[str] = []
    commands: list[str] = []
    for paragraph in _paragraphs(plain):
        for sentence in re.split(r"(?<=[.!?])\s+", paragraph):
            sentence = sentence.replace("**", "").strip(" *_")
            if _INSTRUCTION.search(sentence):
                commands.append(sentence)
            elif len(sentence.split()) >= 5 and _ADVICE.search(sentence) and not sentence.endswith("?"):
                advice.append(shortened(sentence, 300))
    return list(dict.fromkeys(advice))[:12], commands


def _paragraphs(text: str) -> list[str]:
    """Paragraphs and list items, each as one line without its marks or the name of who speaks."""
    found: list[str] = []
    fresh = True
    for line in text.splitlines():
        bare = re.sub(r"^[>\s]+", "", line)
        item = re.match(r"(?:[-*+]\s+|\d+\.\s+|#+\s*|\*{0,2}[\w.-]{1,30}\*{0,2}:\s+)", bare)
        if not bare:
            fresh = True
        elif item or fresh:
            found.append(bare[item.end() :] if item else bare)
            fresh = bool(item and item[0].startswith("#"))
        else:
            found[-1] += " " + bare
    return found


def _kernel_prose(findings: Findings) -> str:
    models = [one for one in findings.estimators if not re.search(r"KFold|Encoder|Scaler|Imputer", one)]
    parts = [
        f"Libraries: {', '.join(findings.imports) or 'none found'}.",
        f"Models and transformers, as called: {'; '.join(findings.estimators) or 'none found'}.",
        f"Validation: {'; '.join(findings.validation) or 'none found'}.",
        "Several models are blended." if findings.blending else f"Number of model calls: {len(models)}.",
        f"Post-processing calls: {', '.join(findings.post_processing) or 'none'}.",
        "The lines that read, fit and write follow.",
    ]
    return "\n".join(parts)


def _kernel_marks(heading: str, findings: Findings) -> str:
    votes = _votes(heading)
    score = re.search(r"public score[^\d-]*(-?\d+(?:\.\d+)?)", heading, re.I)
    shown = f"public score {score[1]} in the heading" if score else "no public score in the heading"
    effect = max(
        0, min(9, (5 if score else 3) + min(votes // 50, 2) + findings.blending - len(findings.pitfalls))
    )
    marks = (
        f"novelty: {min(8, 2 + len(findings.estimators) // 2 + findings.blending)} -"
        f" {len(findings.estimators)} distinct calls of models and transformers\n"
        f"feasibility: {8 if findings.abstract else 3} - it uses"
        f" {', '.join(findings.imports[:5]) or 'no library'}\n"
        f"effectiveness: {effect} - {shown}, {votes} votes\n"
        f"efficiency: {5 if findings.blending else 7} - judged by the number of fits in the code"
    )
    patterns = _unique([*findings.validation[:2], *findings.estimators[:4]]) or ("none found",)
    return f"{marks}\n{_list('patterns', patterns)}\n{_list('pitfalls', findings.pitfalls)}"


def _pitfalls(text: str, validation: Sequence[str]) -> tuple[str, ...]:
    found = []
    if not validation:
        found.append("no cross-validation or hold-out: the score is only known from the leaderboard")
    if re.search(r"\.fit(?:_transform)?\([^)\n]*test", text):
        found.append("something is fitted on the test inputs")
    encodes = re.search(r"groupby\([^)]*\)\[[^\]]*\]\.(?:transform\(['\"]mean|mean\(|agg\()", text)
    validates = re.search(r"KFold\(|cross_val_\w+\(|train_test_split\(", text)
    used = encodes and re.search(r"\.map\(|\.transform\(|\.merge\(", text)
    if encodes and used and validates and encodes.start() < validates.start():
        found.append(
            "category means of the target are taken before the split, so validation is too optimistic"
        )
    if re.search(r"TargetEncoder\(.*\)\.fit_transform\((?!.*fold)", text):
        found.append("a target encoder is fitted on all rows before the split")
    if re.search(r"learning_rate=0\.[5-9]|n_estimators=\d{5}", text):
        found.append("extreme training parameters")
    return tuple(found)


def _abstract(tree: ast.Module) -> list[str]:
    """Top-level statements that import, read, build, fit or write, in order, bounded."""
    kept: list[str] = []
    for node in tree.body:
        text = ast.unparse(node)
        if isinstance(node, ast.Import | ast.ImportFrom) or any(p.search(text) for p in _KEPT):
            kept.append(clip(text, 1200, front=1200, mark="\n# …"))
    joined = "\n".join(kept).splitlines()
    return joined[:120]


def _modules(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module.partition(".")[0])
    return found


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _votes(heading: str) -> int:
    found = re.search(r"(\d+) votes?|votes?: (\d+)", heading)
    return int(found[1] or found[2]) if found else int(fields(heading).get("votes", "0") or 0)


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:20]


def _list(name: str, items: Sequence[str]) -> str:
    return f"{name}:\n" + "\n".join(f"- {item}" for item in items or ["none found"])
