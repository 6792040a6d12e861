"""Replies as models write them: tidy, wrapped, numbered, half broken. What cannot be read says why."""

from __future__ import annotations

import pytest

from comind.llm.formats import MalformedReply
from comind.roles.analyzer import parse_discussion, parse_kernel
from comind.roles.coder import parse_report, parse_turn
from comind.roles.coordinator import overlap, parse_drafts
from comind.roles.evaluator import _FileReader
from comind.roles.monitor import parse_verdict
from comind.roles.proposer import parse_paths, parse_ranking

MARKS = "novelty: 3 - known\nfeasibility: 9/10 — easy\n**Effectiveness**: 6 - fair\nefficiency: 8 - fast"
TURN = """<goal>load</goal>
<code>
x = 1
</code>
<validation_submission>{v}</validation_submission>
<submission>{t}</submission>"""


def turn(v: str = "None", t: str = "None") -> str:
    return TURN.format(v=v, t=t)


class TestCoder:
    def test_a_plain_turn(self) -> None:
        read = parse_turn(turn())
        assert (read.goal, read.code, read.submits) == ("load", "x = 1", False)

    def test_both_files(self) -> None:
        read = parse_turn(turn("v.csv", "/kaggle/working/s.csv"))
        assert (read.validation_submission, read.submission) == ("v.csv", "s.csv")

    @pytest.mark.parametrize(("v", "t"), [("v.csv", "None"), ("None", "s.csv"), ("", "s.csv")])
    def test_one_file_without_the_other_does_not_count_but_the_cell_runs(self, v: str, t: str) -> None:
        read = parse_turn(turn(v, t))
        assert (read.code, read.submits) == ("x = 1", False)
        assert "only one prediction file" in read.fault

    @pytest.mark.parametrize("name", ["../labels.csv", "/etc/passwd", "a/b.csv"])
    def test_files_lie_in_the_working_folder(self, name: str) -> None:
        read = parse_turn(turn(name, "s.csv"))
        assert (read.code, read.submits, read.validation_submission) == ("x = 1", False, "")
        assert "working folder" in read.fault

    def test_fences_and_thinking_are_taken_off(self) -> None:
        assert parse_turn(turn().replace("x = 1", "```python\nx = 1\n```")).code == "x = 1"

    def test_code_that_does_not_parse_names_the_line(self) -> None:
        with pytest.raises(MalformedReply, match="line 1"):
            parse_turn(turn().replace("x = 1", "x ="))

    def test_magics_are_cells_too(self) -> None:
        assert parse_turn(turn().replace("x = 1", "!ls\n%time x = 1")).code.startswith("!ls")

    def test_no_code_tag_is_a_fault_and_an_empty_one_is_the_end(self) -> None:
        with pytest.raises(MalformedReply, match="<code>"):
            parse_turn("I am done.")
        assert parse_turn("<goal>done</goal><code></code>").code == ""

    def test_a_report_means_its_components_marks(self) -> None:
        text = (
            "<pipeline>p</pipeline><summary>=== a ===\nnovelty: 2 - x\nconfidence: 4 - y\n"
            "=== b ===\nnovelty: 6 - x\nweaknesses:\n- none</summary>"
        )
        assert parse_report(text).marks == {"novelty": 4.0, "confidence": 4.0}

    def test_a_report_without_marks_is_a_fault(self) -> None:
        with pytest.raises(MalformedReply, match="mark"):
            parse_report("<pipeline>p</pipeline><summary>it went well</summary>")


class TestAnalyzer:
    def test_a_kernel(self) -> None:
        analysis = parse_kernel(
            f"A ridge.\n```python\nfit()\n```\n===SEPARATOR===\n{MARKS}\npitfalls:\n- leak"
        )
        assert analysis.marks == {"novelty": 3, "feasibility": 9, "effectiveness": 6, "efficiency": 8}
        assert "fit()" in analysis.pipeline

    def test_a_forgotten_separator_is_forgiven(self) -> None:
        assert parse_kernel(f"A ridge.\n{MARKS}").marks["novelty"] == 3

    def test_missing_marks_are_named(self) -> None:
        with pytest.raises(MalformedReply, match="feasibility"):
            parse_kernel("A ridge.\n===SEPARATOR===\nnovelty: 3 - x")

    def test_a_discussion_gives_its_ideas(self) -> None:
        analysis = parse_discussion(f"- use folds\n- clip\n===SEPARATOR===\n{MARKS}")
        assert analysis.ideas == ["use folds", "clip"]


class TestProposer:
    def test_four_paths(self) -> None:
        text = "Preface\n" + "\n".join(
            f"===SOLUTION_PATH_{n}===\nPath {n}.\n- idea {n}a\n- idea {n}b" for n in range(1, 5)
        )
        paths = parse_paths(text)
        assert [path.description for path in paths] == [f"Path {n}." for n in range(1, 5)]
        assert paths[0].ideas == ["idea 1a", "idea 1b"]

    def test_too_few_paths_are_a_fault(self) -> None:
        with pytest.raises(MalformedReply, match="1 solution paths"):
            parse_paths("===SOLUTION_PATH_1===\nOne.\n- idea")

    def test_a_ranking_keeps_its_sources(self) -> None:
        ranked = parse_ranking('["[idea-0003, idea-0007] Average ranks.", "Clip."]')
        assert (ranked[0].sources, ranked[0].text) == (["idea-0003", "idea-0007"], "Average ranks.")
        assert (ranked[1].sources, ranked[1].text) == ([], "Clip.")


class TestCoordinator:
    def draft(self, title: str, resources: str = "none") -> str:
        return (
            f"title: {title}\nbaseline: yes\nstarts_from: none\nresources: {resources}\n\nFit it.\n"
            "```python\nfit()\n```"
        )

    def test_drafts(self) -> None:
        text = self.draft("Ridge") + "\n===SEPARATOR===\n" + self.draft("Trees", "r1-a1, r1-a2")
        drafts = parse_drafts(text, 2)
        assert [draft.title for draft in drafts] == ["Ridge", "Trees"]
        assert drafts[1].resources == ["r1-a1", "r1-a2"]
        assert (drafts[0].description, drafts[0].code, drafts[0].baseline) == ("Fit it.", "fit()", True)

    def test_too_few_and_equal_drafts_are_faults(self) -> None:
        with pytest.raises(MalformedReply, match="1 drafts"):
            parse_drafts(self.draft("Ridge"), 2)
        with pytest.raises(MalformedReply, match="ridge"):
            parse_drafts(self.draft("Ridge") + "\n===SEPARATOR===\n" + self.draft("ridge"), 2)

    @pytest.mark.parametrize(
        ("lines", "ideas", "retest", "seconds", "gpu"),
        [
            ("ideas: idea-0003, idea-0011\nneeds: 10 min, 1 GPU\nretest: yes", ["idea-0003", "idea-0011"],
             True, 600, True),
            ("**Ideas:** [idea-0003]; [idea-0003]\n**Needs:** 1 h 30 min", ["idea-0003"], False, 5400, False),
            ("IDEAS: none\nneeds: 90 s, no GPU\nRetest: No", [], False, 90, False),
            ("needs: two GPUs and 0.5 hours", [], False, 1800, True),
            ("", [], False, None, False),
        ],
    )  # fmt: skip
    def test_what_a_draft_tries_and_needs_is_read_as_models_write_it(
        self, lines: str, ideas: list[str], retest: bool, seconds: float | None, gpu: bool
    ) -> None:
        text = self.draft("Ridge").replace("resources: none", f"resources: none\n{lines}")
        [draft] = parse_drafts(text, 1)
        assert (draft.ideas, draft.retest, draft.seconds, draft.gpu) == (ideas, retest, seconds, gpu)
        assert draft.description == "Fit it."

    def test_prose_about_ideas_and_needs_stays_in_the_description(self) -> None:
        text = self.draft("Ridge").replace("Fit it.", "Ideas: scale first.\nNeeds: clean columns.")
        [draft] = parse_drafts(text, 1)
        assert draft.description == "Ideas: scale first.\nNeeds: clean columns."

    def test_drafts_that_share_their_code_overlap_whatever_they_are_called(self) -> None:
        code = "\n".join(f"model_{n} = Forest(trees={n * 7}, depth={n})" for n in range(30))
        blocks = [
            self.draft("Ridge").replace("fit()", code),
            self.draft("Quite another title").replace("fit()", code).replace("Fit it.", "Other words."),
        ]
        assert "nearly the same" in overlap(parse_drafts("\n===SEPARATOR===\n".join(blocks), 2))
        blocks[1] = blocks[1].replace("Forest(trees", "Lines(slopes")
        assert overlap(parse_drafts("\n===SEPARATOR===\n".join(blocks), 2)) == ""


class TestMonitorAndEvaluator:
    def test_verdicts(self) -> None:
        assert parse_verdict("<action> stop </action><explanation>NaN</explanation>").action == "STOP"
        with pytest.raises(MalformedReply, match="CONTINUE"):
            parse_verdict("<action>WAIT</action>")

    def test_a_file_must_define_its_function(self) -> None:
        reader = _FileReader("split")
        assert "def split(" in reader("<code>\ndef split(a):\n    pass\n</code>")
        with pytest.raises(MalformedReply, match="split"):
            reader("<code>x = 1</code>")
