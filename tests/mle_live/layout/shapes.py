"""Competitions in the shapes that they come in, each imitating a kind that Kaggle has: made, never copied.

Each writes a small folder and says what should be found there. Labels follow the inputs with some noise, so
that a run can learn something from each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.mle_live.layout import file_shapes as files
from tests.mle_live.layout import table_shapes as tables


@dataclass(frozen=True)
class Shape:
    """`files` are the roles that matter; the id and the targets as a submission has them."""

    imitates: str
    write: Callable[[Path], None]
    id: str = "id"
    targets: tuple[str, ...] = ("label",)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metric: str = "roc_auc"
    missing: tuple[str, ...] = ()


SHAPES = {
    one.write.__name__: one
    for one in (
        Shape("most playground competitions", tables.plain,
              files={"train": ("train.csv",), "test": ("test.csv",)}),
        Shape("titanic", tables.gender_submission, files={"sample": ("gender_submission.csv",)}),
        Shape("bike-sharing-demand", tables.camel_case, files={"sample": ("sampleSubmission.csv",)}),
        Shape("a competition with a corrected sample", tables.several_samples,
              files={"sample": ("sample_submission_v2.csv",)}),
        Shape("sf-crime", tables.each_zipped, files={"train": ("train.csv.zip",)}),
        Shape("a whole download in one file", tables.zip_in_zip, files={"train": ("fruit/train.csv",)}),
        Shape("mercari-price-suggestion", tables.seven_zip, targets=("amount",), metric="rmse",
              files={"train": ("train.tsv.7z",)}),
        Shape("an archive of another site", tables.tarball, files={"train": ("data/train.csv",)}),
        Shape("a European export", tables.semicolons, targets=("amount",), metric="mae"),
        Shape("ubiquant", tables.parquet, targets=("amount",), metric="rmse",
              files={"train": ("train.parquet",)}),
        Shape("feedback as records", tables.json_lines, files={"train": ("train.jsonl",)}),
        Shape("whats-cooking", tables.json_documents, files={"train": ("train.json",)}),
        Shape("a folder unpacked by hand", tables.nested, files={"train": ("input/fruit/train.csv",)}),
        Shape("a host without UTF-8", tables.latin_1),
        Shape("digit-recognizer", tables.no_id_in_test, id="RowId", targets=("Label",), metric="accuracy"),
        Shape("loan-default", tables.id_under_another_name, id="FruitId", targets=("Expected",),
              metric="mae"),
        Shape("give-me-some-credit", tables.unnamed_index, id="Id", files={"sample": ("sampleEntry.csv",)}),
        Shape("amex", tables.separate_labels, files={"labels": ("train_labels.csv",)}),
        Shape("an in-class competition", tables.x_and_y,
              files={"train": ("X_train.csv",), "labels": ("y_train.csv",)}),
        Shape("a table in parts", tables.in_parts, targets=("amount",), metric="rmse",
              files={"train": ("train_0.csv", "train_1.csv", "train_2.csv")}),
        Shape("instacart", tables.several_tables, files={"side": ("colours.csv", "measurements.csv")}),
        Shape("walmart", tables.two_column_ids, id="shop|item", targets=("amount",), metric="rmse"),
        Shape("store-sales", tables.by_date, targets=("sales",), metric="rmse"),
        Shape("a folder without a sample", tables.no_sample, targets=("amount",), metric="rmse"),
        Shape("labels in words", tables.words_for_numbers),
        Shape("labels in unclear words", tables.unclear_words, missing=("positive_class",)),
        Shape("a set of images outside Kaggle", files.class_folders_without_a_sample, metric="accuracy"),
        Shape("state-farm", files.class_folders, metric="accuracy",
              files={"train": ("train/",), "test": ("test/",)}),
        Shape("aptos", files.images_with_labels, metric="accuracy", files={"train": ("train_labels.csv",)}),
        Shape("dogs-vs-cats", files.names_tell, targets=("apple",), files={"train": ("train/",)}),
        Shape("whale-detection", files.sounds, id="clip", targets=("probability",),
              files={"train": ("train/",)}),
        Shape("dog-breed", files.one_column_a_class, targets=("apple", "pear"), metric="multiclass_log_loss",
              files={"train": ("labels.csv",)}),
        Shape(
            "denoising-dirty-documents", files.image_pairs, targets=("value",), metric="rmse",
            files={"train": ("train/",), "labels": ("train_cleaned/",), "test": ("test/",)},
        ),
        Shape("carvana without its table of masks", files.masks_as_lengths, missing=("train",)),
        Shape("half a download", tables.nothing_to_learn_from, missing=("train",)),
        Shape("a target not told", tables.several_new_columns, missing=("target",)),
    )
}  # fmt: skip
