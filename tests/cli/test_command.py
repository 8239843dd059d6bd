"""The command `skmerc`: what it prints, writes, refuses, and by which exit code."""

import io
import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skmerc.cli import main
from skmerc.cli._commands import _answers
from skmerc.cli._main import _told_in_words
from skmerc.cli._words import as_options

pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")

SAID = {"joy": "great i am so happy", "anger": "awful why", "neutral": "a day ."}
NAMED = ["--text", "said", "--label", "emotion", "--dialogue", "call"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table of labelled calls, and one of new calls."""
    folder = tmp_path_factory.mktemp("calls")
    emotions = [*SAID, "neutral", "joy"]
    rows = [(f"c{n}", t, e) for n in range(4) for t, e in enumerate(emotions)]
    calls = pd.DataFrame(rows, columns=["call", "turn", "emotion"])
    calls["who"] = calls["turn"].map(lambda turn: "ab"[turn % 2])
    calls["said"] = calls["emotion"].map(SAID)
    calls.to_csv(folder / "calls.csv", index=False)
    calls.drop(columns="emotion").to_csv(folder / "new.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def model(folder, make_model):
    """The file of a model that `skmerc fit` has saved."""
    out = folder / "model.skmerc"
    options = [*NAMED, "--speaker", "who", "--model", str(make_model())]
    assert main(["fit", str(folder / "calls.csv"), *options, "--out", str(out)]) == 0
    return str(out)


def refusal(capsys, *arguments):
    """What is told, without a traceback, where a table or a model is refused."""
    assert main([str(one) for one in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("skmerc: error: ")
    assert "Traceback" not in err
    return err


def misuse(capsys, *arguments):
    """What is told of arguments that make no sense."""
    with pytest.raises(SystemExit) as stop:
        main([str(one) for one in arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.slow
def test_answers_are_a_row_for_each_utterance_with_all_probabilities(
    model, folder, capsys
):
    assert main(["predict", model, str(folder / "new.csv")]) == 0
    out, err = capsys.readouterr()
    answers = pd.read_csv(io.StringIO(out))
    new = pd.read_csv(folder / "new.csv")
    assert answers["utterance"].tolist() == new["said"].tolist()
    assert answers["dialogue__id"].tolist() == new["call"].tolist()
    assert answers["dialogue__speaker"].tolist() == new["who"].tolist()
    p = answers[[f"p_{emotion}" for emotion in sorted(SAID)]]
    assert p.sum(axis=1).to_numpy() == pytest.approx(1)
    assert (p.idxmax(axis=1) == "p_" + answers["emotion"]).all()
    assert err == ""


@pytest.mark.slow
def test_answers_are_the_same_in_every_format(model, folder, capsys):
    pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")
    read = {
        "a.csv": pd.read_csv,
        "a.json": pd.read_json,
        "a.jsonl": lambda path: pd.read_json(path, lines=True),
        "a.parquet": pd.read_parquet,
    }
    tables = []
    for name, reader in read.items():
        out = folder / name
        assert main(["predict", model, str(folder / "new.csv"), "--out", str(out)]) == 0
        tables.append(reader(out))
    assert capsys.readouterr().out == ""
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0], check_dtype=False)


@pytest.mark.slow
def test_transcripts_are_answered_with_their_times(model, folder, capsys):
    file = folder / "scene.srt"
    file.write_text("1\n00:00:01,000 --> 00:00:02,000\nANNA: Great.\n")
    assert main(["predict", model, str(file), "--speaker-prefixes", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["dialogue__speaker"] == "ANNA"
    assert answer["start"] == 1
    assert answer["emotion"] in SAID
    assert "--dialogue" in misuse(capsys, "predict", model, file, "--dialogue", "call")


def test_a_report_has_the_scores_of_each_emotion(model, folder, capsys):
    calls = str(folder / "calls.csv")
    assert main(["report", model, calls]) == 0
    assert "weighted F1" in capsys.readouterr().out
    assert main(["report", model, calls, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    scores = {row.pop("class"): row for row in rows}
    assert {*SAID, "accuracy", "macro F1"} <= scores.keys()
    assert scores["joy"]["support"] == 8


def test_labels_that_read_as_numbers_are_those_of_a_model_of_text(
    folder, make_model, tmp_path, capsys
):
    calls = pd.read_csv(folder / "calls.csv")
    column = NAMED[NAMED.index("--label") + 1]
    names = dict(zip(sorted(SAID), ["1", "2", "unsure", *"3456"], strict=False))
    calls[column] = calls[column].map(names)
    calls.to_csv(tmp_path / "calls.csv", index=False)
    known = calls[column].isin(["1", "2"])
    calls[known].to_csv(tmp_path / "numbers.csv", index=False)
    out = str(tmp_path / "model.skmerc")
    options = [*NAMED, "--speaker", "who", "--model", str(make_model())]
    assert main(["fit", str(tmp_path / "calls.csv"), *options, "--out", out]) == 0
    capsys.readouterr()
    assert main(["report", out, str(tmp_path / "numbers.csv"), "--json"]) == 0
    rows = {row["class"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["1"]["support"] == (calls[column] == "1").sum()


@pytest.fixture(scope="module")
def rated(folder, make_model):
    """Tables of calls that are rated by numbers, and models by how labels are held."""
    calls = pd.read_csv(folder / "calls.csv")
    whole = calls["emotion"].map({"joy": 1, "anger": 2, "neutral": 3}).astype("Int64")
    first = calls["call"] == "c0"
    ratings = {
        "whole": whole,
        "gaps": whole.where((calls["turn"] != 1) | first),
        "text": whole.astype(str).where(~first, "unsure"),
        "truth": whole == 1,
    }
    models = {}
    for name, rating in ratings.items():
        calls.assign(emotion=rating).to_csv(folder / f"{name}.csv", index=False)
    calls.assign(emotion=ratings["truth"]).to_json(
        folder / "truth.jsonl", orient="records", lines=True
    )
    for name in ("gaps.csv", "text.csv", "truth.jsonl"):
        models[name] = out = str(folder / f"{name}.skmerc")
        options = [*NAMED, "--speaker", "who", "--model", str(make_model())]
        assert main(["fit", str(folder / name), *options, "--out", out]) == 0
    return models


@pytest.mark.parametrize(
    ("learned", "scored"),
    [
        ("gaps.csv", "whole"),
        ("gaps.csv", "gaps"),
        ("gaps.csv", "text"),
        ("text.csv", "gaps"),
        ("truth.jsonl", "truth"),
    ],
)
def test_labels_are_those_of_the_model_however_a_file_holds_them(
    rated, folder, learned, scored, capsys
):
    capsys.readouterr()
    file = folder / f"{scored}.csv"
    assert main(["report", rated[learned], str(file), "--json"]) == 0
    rows = {str(row["class"]): row for row in json.loads(capsys.readouterr().out)}
    labels = pd.read_csv(file, dtype={"emotion": str})["emotion"].dropna()
    counts = dict(labels.value_counts())
    assert {name: rows[name]["support"] for name in counts} == counts


def test_whole_numbers_are_named_as_such(rated, folder, capsys):
    capsys.readouterr()
    assert main(["predict", rated["gaps.csv"], str(folder / "new.csv")]) == 0
    answers = pd.read_csv(io.StringIO(capsys.readouterr().out), dtype=str)
    assert {"p_1", "p_2", "p_3"} < set(answers)
    assert set(answers["emotion"]) <= {"1", "2", "3"}


def test_a_check_says_what_was_found_and_ends_in_one_where_fitting_would_fail(
    folder, capsys
):
    assert main(["check", str(folder / "calls.csv"), *NAMED]) == 0
    assert "Check of a table" in capsys.readouterr().out
    one = folder / "one.csv"
    one.write_text("dialogue,text,label\n1,Hello there,joy\n1,Well,joy\n")
    assert main(["check", str(one), "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert findings[0]["severity"] == "error"
    assert "all labels are 'joy'" in findings[0]["what"]


def test_a_result_may_go_to_the_home_folder(folder, tmp_path, monkeypatch, capsys):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    # As of --out=~/found.json, which a shell passes on as it is.
    main(["check", str(folder / "calls.csv"), *NAMED, "--out=~/found.json"])
    assert isinstance(json.loads((tmp_path / "found.json").read_text()), list)
    calls = tmp_path / "calls.csv"
    calls.write_bytes((folder / "calls.csv").read_bytes())
    with pytest.raises(SystemExit, match="2"):
        main(["check", "~/calls.csv", *NAMED, "--out=~/calls.csv", "--format", "csv"])
    assert "would be lost" in capsys.readouterr().err


def test_tables_and_models_are_refused_in_words(model, folder, capsys):
    calls, new = folder / "calls.csv", folder / "new.csv"
    told = refusal(capsys, "check", calls, "--text", "said")
    assert "Say --dialogue call" in told
    told = refusal(capsys, "fit", new, *NAMED[:2], *NAMED[4:], "--out", folder / "m")
    assert "no utterance has a label" in told
    assert "no folder" in refusal(capsys, "fit", calls, "--out", folder / "none" / "m")
    assert "damaged" in refusal(capsys, "predict", calls, new)
    assert "--model" in refusal(
        capsys, "fit", calls, *NAMED, "--model", "./none", "--out", folder / "m"
    )
    assert not (folder / "m").exists()


def test_arguments_without_sense_are_told_before_any_work(folder, capsys):
    assert "COMMAND" in misuse(capsys)
    assert "ending" in misuse(capsys, "predict", "m", "x.csv", "--out", "a.xlsx")
    assert "needs --out" in misuse(capsys, "check", "x.csv", "--format", "parquet")
    assert "no meaning" in misuse(capsys, "check", "a.srt", "--label", "emotion")


def test_a_traceback_comes_only_when_asked_for(folder, capsys):
    assert main(["check", str(folder / "absent.csv"), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_warnings_are_sentences_in_the_words_of_the_command(folder, capsys):
    file = folder / "odd.csv"
    file.write_text("dialogue,said,mood\n1,Hello,joy\n1,hm,anger\n")
    assert main(["check", str(file), "--text", "said"]) in (0, 1)
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("skmerc: warning: ")
    assert "--label mood" in warning


def test_a_warning_of_two_steps_is_told_once(capsys):
    with _told_in_words(debug=False):
        for line in (1, 2, 3):
            warnings.warn_explicit("It is late.", UserWarning, "steps.py", line)
    assert capsys.readouterr().err == "skmerc: warning: It is late.\n"


@pytest.mark.parametrize("answers", [np.zeros(2), np.zeros((2, 3))])
def test_models_that_name_no_single_emotion_are_refused(answers):
    model = SimpleNamespace(predict=lambda X: answers)
    with pytest.raises(ValueError, match="does not name one emotion"):
        _answers(model, None)


def test_messages_name_options():
    assert as_options("Say dialogue='my call'.") == "Say --dialogue 'my call'."
    assert as_options("to_frame(normalize_labels=True) helps") == (
        "--normalize-labels helps"
    )
    assert as_options("day_first=False, turn=None") == "--no-day-first, --turn ''"
    assert as_options("make_frame(dialogue=...)") == "make_frame(dialogue=...)"


@pytest.fixture
def odd(tmp_path):
    """A table with a label that few encodings can write."""
    file = tmp_path / "odd calls.csv"
    file.write_text("dialogue,text,label\n1,Hello,\U0001f600\n1,No,Wut\n", "utf-8")
    return file


class Terminal(io.TextIOWrapper):
    """What people look at."""

    def isatty(self):
        return True


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "text"])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_what_is_printed_are_the_bytes_of_a_file(odd, form, encoding, monkeypatch):
    out = str(odd.with_suffix(".out"))
    assert main(["check", str(odd), "--format", form, "--out", out]) == 0
    printed = io.TextIOWrapper(io.BytesIO(), encoding, newline="\r\n")
    monkeypatch.setattr(sys, "stdout", printed)
    assert main(["check", str(odd), "--format", form]) == 0
    assert printed.buffer.getvalue() == Path(out).read_bytes()


def test_a_terminal_is_shown_what_it_has_letters_for(odd, monkeypatch):
    shown = Terminal(io.BytesIO(), "latin-1")
    monkeypatch.setattr(sys, "stdout", shown)
    assert main(["check", str(odd), "--json"]) == 0
    assert rb"\U0001f600" in shown.buffer.getvalue()


def test_a_process_may_have_one_stream_alone(odd, monkeypatch, capsys):
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stderr", None)
        assert main(["check", str(odd), "--turn", "none"]) == 1
        assert main(["check", str(odd), "--json", "--label", ""]) in (0, 1)
    json.loads(capsys.readouterr().out)  # and nothing else
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        assert "--out" in misuse(capsys, "check", odd)
        assert main(["check", str(odd), "--out", str(odd.with_suffix(".json"))]) == 0


@pytest.mark.parametrize("command", ["check", "fit", "predict", "report"])
def test_no_file_that_is_read_is_written_over(odd, command, capsys):
    link = odd.with_name("link.csv")
    link.symlink_to(odd)
    before = odd.read_bytes()
    given = [odd] if command in ("check", "fit") else [link, odd]
    for out in (odd, link, odd.parent / "." / odd.name):
        told = misuse(capsys, command, *given, "--out", out)
        assert "would be lost" in told
    if command != "fit":
        model = odd.with_name("model.csv")
        model.write_bytes(b"a model")
        told = misuse(capsys, "predict", model, odd, "--out", model)
        assert "would be lost" in told
    assert odd.read_bytes() == before
    assert link.is_symlink()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux")
@pytest.mark.parametrize("command", ["check", "fit"])
def test_a_folder_that_nobody_may_write_to_is_told_before_any_work(command, capsys):
    told = refusal(capsys, command, "absent.csv", "--out", "/proc/self/out.csv")
    assert "/proc/self/out.csv" in told


@pytest.mark.slow
def test_help_comes_without_the_libraries_of_learning():
    code = (
        "import sys\n"
        "from skmerc.cli import main\n"
        "try: main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'pandas', 'sklearn', 'numpy'} & set(sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert told.startswith("usage: skmerc fit FILE --out MODEL")
