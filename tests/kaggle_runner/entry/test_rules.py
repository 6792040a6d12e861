"""What pages of rules say: each sentence under the topics that it speaks of, and nothing guessed."""

from __future__ import annotations

import pytest

from kaggle_runner.entry.rules import NOT_SAID, TITLES, read_rules, sentences

SAID = [
    ("You may bring data of your own, provided that the external data is free for all.", {"external_data"}),
    ("No external data.", {"external_data"}),
    ("External data: not allowed.", {"external_data"}),
    ("Data other than the competition's may be used if its licence is open.", {"external_data"}),
    ("Freely and publicly available datasets are fine, and so are pre-trained models.", {"external_data"}),
    ("Participants may only use the provided data.", {"external_data"}),
    ("Weights of pretrained networks count as outside sources and are forbidden.", {"external_data"}),
    ("Any external resources may be used if they are public.", {"external_data"}),
    ("Please only use the data that we give you.", {"external_data"}),
    ("Labels made by hand-labelling do not count.", {"external_data"}),
    ("Agents, also LLM-based agents, may write your code.", {"automated_tools"}),
    ("A tool whose licence costs more than a book is not permitted.", {"paid_tools"}),
    ("All software that you use must be free.", {"paid_tools"}),
    ("No service that requires a payment may be called.", {"paid_tools"}),
    ("Exchanging code with anybody who is not in your team is forbidden.", {"private_sharing"}),
    ("Collaboration outside of a team happens in public.", {"private_sharing"}),
    ("Compete on your own or in a team of two.", {"team_limits"}),
    ("Each team may have five members.", {"team_limits"}),
    ("Groups of up to three students may enter.", {"team_limits"}),
    ("The number of members of a team is four or less.", {"team_limits"}),
    ("AutoML is welcome here.", {"automated_tools"}),
    ("Automated machine learning tools may be used if their licence allows it.", {"automated_tools"}),
    ("Entries that are made by a bot or other automated means are void.", {"automated_tools"}),
    ("Code written by AI assistants must be marked as such.", {"automated_tools"}),
    ("Autonomous coding agents are not permitted to enter.", {"automated_tools"}),
    ("Paid APIs must not be used.", {"paid_tools"}),
    ("Any tool must be reasonably accessible to all participants and of minimal cost.", {"paid_tools"}),
    ("A subscription to a commercial language model counts as an excessive cost of a tool.", {"paid_tools"}),
    ("The price of software must not exceed twenty dollars a team.", {"paid_tools"}),
    ("Sharing code privately outside your team is not permitted.", {"private_sharing"}),
    ("You may not share data or code with participants of other teams.", {"private_sharing"}),
    ("Code may be shared if it is made available to all on the forums.", {"private_sharing"}),
    ("The maximum team size is five.", {"team_limits"}),
    ("A team may have up to three members.", {"team_limits"}),
    ("Team mergers are allowed until the merger deadline.", {"team_limits"}),
    ("Only individuals may compete; teams are not allowed.", {"team_limits"}),
    ("No teams.", {"team_limits"}),
]  # fmt: skip
NOTHING = [
    "Be kind.",
    "External Data",
    "Teams",
    "This page is publicly available.",
    "The prize is paid in US dollars within 30 days.",
    "Winners must describe their solution.",
    "Entrants warrant that their work infringes no third-party rights.",
    "There is no entry fee.",
    "Participants must be over 18.",
    "Winners must publish their code under an open source licence.",
    "Our team of lawyers reads all of it.",
    "You may submit at most five predictions a day.",
    "Scores are computed automatically.",
    "Please share this page with your friends.",
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "topics"), SAID)
def test_a_sentence_is_quoted_under_what_it_speaks_of(sentence: str, topics: set[str]) -> None:
    rules = read_rules({"rules": f"# Rules\n\nBe fair. {sentence} Have fun.\n"})
    assert {topic for topic, quotes in rules.quotes.items() if quotes} == topics
    assert all(rules.quotes[topic] == (sentence,) for topic in topics)


@pytest.mark.parametrize("sentence", NOTHING)
def test_what_speaks_of_none_of_it_is_not_quoted(sentence: str) -> None:
    rules = read_rules({"Rules": sentence})
    assert rules.quotes == dict.fromkeys(TITLES, ())
    assert {rules.told(topic) for topic in TITLES} == {NOT_SAID}


def test_pages_are_html_or_markdown_and_sentences_stay_whole() -> None:
    page = """<h3>External Data</h3><p>You may use external data, e.g. Weather tables (see No. 4 below), if it
    is <b>public</b>.</p><ul><li>Teams of up to 5 people.</li><li>Be kind</li></ul>
## Tools
- AutoML &amp; friends: yes
"""
    assert list(sentences(page)) == [
        "You may use external data, e.g. Weather tables (see No. 4 below), if it is public .",
        "Teams of up to 5 people.",
        "AutoML & friends: yes",
    ]


def test_without_a_page_of_rules_nothing_is_said() -> None:
    rules = read_rules({"Description": "External data is fine."})
    assert not rules.found and rules.told("external_data") == f"{NOT_SAID}: there is no rules page"
    assert rules.document()["external_data"] == {
        "said": False,
        "sentences": [],
        "told": rules.told("external_data"),
    }


def test_a_very_long_sentence_is_quoted_round_what_it_says() -> None:
    text = f"Whereas {'the parties agree and ' * 60}external data may be used{', and so on' * 60}."
    [quote] = read_rules({"rules": text}).quotes["external_data"]
    assert "external data may be used" in quote and len(quote) < 520 and quote.startswith("…")
