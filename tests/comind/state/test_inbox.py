"""Commands travel by atomic rename, once each, and rubbish in the inbox hurts nobody."""

from __future__ import annotations

from pathlib import Path

from comind.state.inbox import Command, send, take


def test_a_command_is_taken_once(tmp_path: Path) -> None:
    send(tmp_path, Command("add_idea", text="try [/red] stacking"))
    assert take(tmp_path) == [Command("add_idea", text="try [/red] stacking")]
    assert take(tmp_path) == []


def test_commands_keep_their_order(tmp_path: Path) -> None:
    for n in range(5):
        send(tmp_path, Command("add_idea", text=str(n)))
    assert [command.text for command in take(tmp_path)] == list("01234")


def test_rubbish_is_dropped(tmp_path: Path) -> None:
    for n, text in enumerate(["", "[1]", "{", '{"action": "format_disk"}', '{"target": "x"}', "\x00\xff"]):
        (tmp_path / f"{n}.json").write_text(text)
    send(tmp_path, Command("stop"))
    assert take(tmp_path) == [Command("stop")]
    assert not list(tmp_path.glob("*.json"))


def test_a_half_written_command_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / ".half.json.partial").write_text('{"action": "stop"}')
    assert take(tmp_path) == []


def test_a_folder_and_a_dangling_link_do_not_stop_later_commands(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    (tmp_path / "b.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.json").write_text("[" * 100_000)
    send(tmp_path, Command("pause"))
    assert take(tmp_path) == [Command("pause")]
