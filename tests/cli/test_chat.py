"""glmkit chat at a real terminal and through a pipe."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glmkit import Answer, Greedy
from glmkit.cli.dialogue import Dialogue
from glmkit.core.errors import UserError
from glmkit.core.seal import sealed
from glmkit.generate.scheduler import Scheduler
from glmkit.testing import tiny
from glmkit.text.chat import chat_format

from .conftest import Run

pexpect = pytest.importorskip("pexpect", reason="no pexpect: a terminal cannot be played")

ENDS = ("--logit-bias", "257=-100", "--logit-bias", "262=-100")  # a reply goes on until it is cut off
PROMPT = "\r\n(?:\x1b\\[\\?2004h)?> "


@pytest.fixture(scope="module")
def chatglm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "chatglm2"
    tiny("chatglm2").save(path)
    return path


@pytest.fixture(scope="module")
def endless(chatglm2: Path) -> Path:
    """The same model with room for a reply that goes on for a minute, unless it is cut off or stopped."""
    path = chatglm2.with_name("endless")
    shutil.copytree(chatglm2, path)
    table = json.loads((path / "config.json").read_text(encoding="utf-8"))
    table["model"]["max_positions"] = 65536
    (path / "config.json").write_text(json.dumps(sealed(table)), encoding="utf-8")
    return path


@pytest.fixture
def terminal(endless: Path, tmp_path: Path) -> Iterator["pexpect.spawn"]:
    """A chat on a terminal of 60 columns, ready for the first turn."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "glmkit.cli.main", "chat", str(endless), "--seed", "3", *ENDS],
        dimensions=(24, 60),
        timeout=60,
        encoding="utf-8",
        codec_errors="replace",
        cwd=str(tmp_path),
    )
    child.expect("Ctrl-C stops a reply")
    child.expect(PROMPT)
    yield child
    child.close(force=True)


def ask(child: "pexpect.spawn", line: str, answer: str) -> None:
    child.sendline(line)
    child.expect(answer)
    child.expect(PROMPT)


def test_a_conversation_at_a_terminal(terminal: "pexpect.spawn", tmp_path: Path) -> None:
    ask(terminal, "/set max_new_tokens 8", "/set max_new_tokens 8")
    ask(terminal, "hello", r"\[8 tokens, [\d.]+ tokens/s, cut off at the length allowed\]")
    ask(terminal, "/stats", r"reply +8 tokens.*first piece.*prompt +\d+ tokens, 0 of them.*context.*left out +0")
    ask(terminal, "more", r"\[8 tokens")
    ask(terminal, "/stats", r"tokens, [1-9]\d* of them known")
    ask(terminal, "/regen", r"\[8 tokens")
    ask(terminal, "/save talk.json", "saved 4 messages in talk.json")
    ask(terminal, "/save talk.json/inside", r"\(cannot write talk.json/inside: ")
    ask(terminal, "/clear", "/clear")
    ask(terminal, "/regen", "there is no reply to write again yet")
    ask(terminal, "/load talk.json", "loaded 4 messages")
    ask(terminal, "/system be brief", "/system be brief")
    ask(terminal, "/system", "be brief")
    ask(terminal, "/save talk.json", "saved 5 messages")
    messages = json.loads((tmp_path / "talk.json").read_text())["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant"]
    assert messages[1]["content"] == "hello"
    ask(terminal, "/set", r"temperature +0.8.*max_new_tokens +8")
    ask(terminal, "/set top_p 2", "top_p must be a finite number greater than 0 and at most 1, got 2.0")
    ask(terminal, "/set temprature 1", "did you mean 'temperature'")
    ask(terminal, "/hlep", "did you mean 'help'")
    ask(terminal, "/help", "/system TEXT.*Ctrl-C")
    ask(terminal, '"""/hlep, a turn that looks like a command"""', r"\[8 tokens")
    terminal.sendline("/exit")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def test_ctrl_c_stops_the_reply_and_not_the_program(terminal: "pexpect.spawn") -> None:
    terminal.sendline("talk on")
    terminal.expect("talk on\r\n")
    terminal.expect(r"[^\r\n]{20}")  # pieces come before the reply is whole
    terminal.sendintr()
    terminal.expect(r"\[\d+ tokens, [\d.]+ tokens/s, stopped\]")
    terminal.expect(PROMPT)
    terminal.send("half a line")
    terminal.expect("half a line")
    for _ in range(10):  # a signal that arrives just before readline waits for keys is seen with the next one
        terminal.sendintr()
        if terminal.expect([r"\(Ctrl-D leaves\)", pexpect.TIMEOUT], timeout=5) == 0:
            break
    terminal.expect(PROMPT)
    ask(terminal, "/set max_new_tokens 4", "/set max_new_tokens 4")
    ask(terminal, "and now", r"\[4 tokens")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def test_several_lines(terminal: "pexpect.spawn", tmp_path: Path) -> None:
    ask(terminal, "/set max_new_tokens 2", "/set max_new_tokens 2")
    terminal.sendline('"""first')
    terminal.expect(r"\. ")
    terminal.sendline("second")
    terminal.expect(r"\. ")
    ask(terminal, 'third"""', r"\[2 tokens")
    ask(terminal, "/save lines.json", "saved")
    assert json.loads((tmp_path / "lines.json").read_text())["messages"][0]["content"] == "first\nsecond\nthird"


FLAGS = ("--temperature", "0", "-n", "6")


@pytest.fixture
def piped(chatglm2: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs a chat whose standard input is `text`."""

    def call(text: bytes, *flags: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
        return run("chat", chatglm2, *FLAGS, *flags)

    return call


def test_a_pipe_gives_replies_alone(chatglm2: Path, piped: Callable[..., tuple[int, str, str]]) -> None:
    """Each line a turn of one conversation, lines between three quotes one turn, the whole input with --prompt -."""
    command = [sys.executable, "-m", "glmkit.cli.main", "chat", str(chatglm2), *FLAGS]
    text = 'hello\n\n"""\ntwo\nlines\n"""\n/exit\n'
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    model = tiny("chatglm2")
    messages: list[dict] = []
    expected = ""
    for turn in ("hello", "two\nlines", "/exit"):
        messages.append({"role": "user", "content": turn})
        answer = model.stream_chat(messages, sampling=Greedy(), max_new_tokens=6)
        expected += "".join(answer) + "\n"
        messages += answer.reply.messages
    assert done.stdout.decode() == expected
    answer = model.stream_chat([{"role": "user", "content": "two\nlines"}], sampling=Greedy(), max_new_tokens=6)
    assert piped(b"two\nlines", "--prompt", "-") == (0, "".join(answer) + "\n", "")


def test_what_is_not_utf_8_is_named(piped: Callable[..., tuple[int, str, str]]) -> None:
    code, _, errors = piped(b"hello\n\xff\xfe\n")
    assert (code, errors) == (2, "glmkit: standard input, line 2 is not UTF-8 (byte 1)\n")


@pytest.mark.parametrize(
    ("text", "flags"), [(b"", ()), (b"\n \n", ()), (b"", ("--prompt", "-")), (b"x", ("--prompt", ""))]
)
def test_nothing_to_answer(piped: Callable[..., tuple[int, str, str]], text: bytes, flags: tuple[str, ...]) -> None:
    assert piped(text, *flags) == (2, "", "glmkit: no prompt: give it with --prompt or on standard input\n")


def talk(notes: bool = False) -> Dialogue:
    how = {"temperature": 0.0}
    return Dialogue(tiny("chatglm2"), how, system=None, overflow="truncate", max_new_tokens=4, notes=notes)


@pytest.mark.parametrize("at", [0, 2])
def test_a_turn_stopped_before_its_reply_does_not_count(
    at: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a new one nor one that is written again; the next turn works."""
    dialogue = talk(notes=True)
    for turn in ("one", "two")[:at]:
        dialogue.take(turn)
    before = dialogue.messages

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for turn in ("never", "/regen")[: 1 + bool(at)]:
        with monkeypatch.context() as patch:
            patch.setattr(Scheduler, "step", interrupted)
            dialogue.take(turn)
        assert "the turn does not count" in capsys.readouterr().out
        assert dialogue.messages == before
    dialogue.take("again")
    assert [message["role"] for message in dialogue.messages[len(before) :]] == ["user", "assistant"]


@pytest.mark.parametrize("notes", [False, True])
def test_an_empty_reply_is_one_and_is_said_to_be_empty(notes: bool, capsys: pytest.CaptureFixture[str]) -> None:
    dialogue = talk(notes)
    dialogue.settings["logit_bias"] = {tiny("chatglm2").tokenizer.special.eod: 1000.0}
    dialogue.take("one")
    dialogue.take("two")
    assert [message["content"] for message in dialogue.messages] == ["one", "", "two", ""]
    out, errors = capsys.readouterr()
    if notes:
        assert (out.count("\n[the reply is empty: 0 tokens and no text]\n"), errors) == (2, "")
    else:
        assert (out, errors) == ("\n\n", "glmkit: the reply is empty: 0 tokens and no text\n" * 2)


def test_a_file_that_cannot_be_written_or_read_keeps_the_conversation(tmp_path: Path) -> None:
    dialogue = talk()
    dialogue.take("one")
    before = dialogue.messages
    (tmp_path / "file").write_text("no JSON")
    bad = {
        "user": [{"role": "user", "content": "unanswered"}],
        "role": [{"role": "nobody", "content": "x"}],
        "content": [{"role": "user", "content": None}],
        "kind": ["x"],
    }
    for name, messages in bad.items():
        (tmp_path / name).write_text(json.dumps({"messages": messages}))
    for command, line in [
        ("/save", "needs the name of a file"),
        (f"/save {tmp_path}", "cannot write .*: Is a directory"),
        ("/save /", "cannot write /: "),
        (f"/save {tmp_path}/{'x' * 300}", "cannot write .*: File name too long"),
        (f"/save {tmp_path}/file/inside", r"cannot write .*/inside: (Not a directory|File exists)"),
        ("/load", "needs the name of a file"),
        (f"/load {tmp_path}", "is a directory, not a file"),
        (f"/load {'x' * 300}", "cannot be read: File name too long"),
        (f"/load {tmp_path}/nothing", "nothing: no such file"),
        *((f"/load {tmp_path}/{name}", "is not a saved conversation") for name in ("file", *bad)),
    ]:
        with pytest.raises(UserError, match=line):
            dialogue.take(command)
        assert dialogue.messages is before


def test_counts_are_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dialogue = talk()
    dialogue.take("/system brief")
    dialogue.take(f"/save {tmp_path}/talk.json")
    dialogue.take(f"/load {tmp_path}/talk.json")
    dialogue.take("one")
    dialogue.take(f"/save {tmp_path}/talk.json")
    out = capsys.readouterr().out
    assert "saved 1 message in" in out
    assert "loaded 1 message\n" in out
    assert "saved 3 messages in" in out


def test_a_model_that_cannot_chat(model_directory: Path, run: Run) -> None:
    code, _, errors = run("chat", model_directory, "--prompt", "hello")
    assert code == 2
    assert "not trained to chat; use infill or generate" in errors


def test_generate_with_its_flags(chatglm2: Path, run: Run) -> None:
    code, out, errors = run(
        "generate", chatglm2, "abc", "-n", 6, "--json", "--logprobs", 2, "--top-k", 5, "--min-p", 0.01, "-s", 1,
        "--repeat-penalty", 1.1, "--presence-penalty", 0.1, "--frequency-penalty", 0.1, "--logit-bias", "65=1",
    )  # fmt: skip
    assert code == 0, errors
    result = json.loads(out)
    assert (result["prompt"], result["finish_reason"], len(result["ids"])) == ("abc", "length", 6)
    assert result["ended"] == "length", "its name in version 0.1"
    assert all(len(top) == 2 for top in result["top"])
    _, text, _ = run("generate", chatglm2, "abc", "-n", 6)
    stop = text.strip()[5]
    _, stopped, _ = run("generate", chatglm2, "abc", "-n", 6, "--stop", stop)
    assert stopped.strip("\n") == text.strip("\n").split(stop)[0]
    code, _, errors = run("generate", chatglm2, "x" * 2000)
    assert code == 2
    assert "prompt has 2002 tokens, the model reads at most 1024; shorten it, or let --overflow truncate drop" in errors
    assert run("generate", chatglm2, "x" * 2000, "-n", 2, "--overflow", "truncate")[0] == 0
    code, _, errors = run("generate", chatglm2, "x", "--logit-bias", "here")
    assert code == 2
    assert "--logit-bias 'here': write ID=X" in errors
    code, out, errors = run("generate", chatglm2, "x", "--logit-bias", "99999=3")
    assert (code, out) == (2, "")
    assert errors.startswith("glmkit: bias names id 99999, the model has")
    assert run("generate", chatglm2, "abc", "-n", 6, "--temperature", 0, "--seed", 1) == (0, text, "")
    for verb in ("generate", "chat"):
        code, out, errors = run(verb, chatglm2, *["--prompt"] * (verb == "chat"), "x", "--device", "foo")
        assert (code, out) == (2, "")
        assert errors.startswith("glmkit: no device 'foo' on this machine")


def test_clear_gives_back_the_memory_of_the_conversation() -> None:
    dialogue = talk()
    dialogue.ask("hello")
    assert dialogue.model.scheduler.prefix_cache.rows
    dialogue.take("/clear")
    assert not dialogue.model.scheduler.prefix_cache.rows


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("tool_call(x=(1, '北'))", '{"name": "f", "parameters": {"x": [1, "北"]}}'),
        ("tool_call(x={1})", "{'name': 'f', 'parameters': {'x': {1}}}"),
        ("{(1, 2): 1e999}", "{'name': 'f', 'parameters': {(1, 2): inf}}"),
    ],
)
def test_a_call_is_printed_whatever_values_it_has(
    call: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny("chatglm3")
    dialogue = Dialogue(model, {}, system=None, overflow="truncate", max_new_tokens=2, notes=False)
    messages = [{"role": "system", "content": "", "tools": []}]
    result = chat_format(model.tokenizer).reply(f"f\n```python\n{call}\n```", messages)
    monkeypatch.setattr(Answer, "reply", result)
    dialogue.ask("hello")
    assert capsys.readouterr().out.splitlines()[-1] == line
