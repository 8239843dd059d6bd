"""The runner of studies: what it records, how it goes on, and every study once."""

import json
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import f1_score

from skmerc.datasets import load_table, make_conversations
from skmerc.frame import make_frame

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


@pytest.fixture
def part():
    """A function: a module of the benchmark."""
    return lambda name: import_module(f"benchmark.{name}")


@pytest.fixture
def run_study(part, tmp_path):
    """A function: make the runs of a study in this process, and return its file."""

    def start(study, *data, **options):
        given = {"jobs": 0, "seeds": 1, "epochs": 1, "out": tmp_path} | options
        flags = [f"--{name}={value}" for name, value in given.items()]
        part("run").main([study, *flags, "--data", *map(str, data)])
        return tmp_path / f"{study}.csv"

    return start


FLOORS = ["most frequent", "logistic regression", "the same, ±2 neighbours"]


@pytest.fixture
def three_floors(part, monkeypatch):
    """A study of three floors that take no time."""
    studies, floors = part("studies"), part("floors").FLOORS
    monkeypatch.setitem(
        studies.STUDIES,
        "floors",
        studies.Study(
            "floors", "", lambda table: {n: floors[n] for n in FLOORS}, FLOORS[0]
        ),
    )
    return "floors"


@pytest.mark.slow
def test_a_line_for_each_run_and_none_twice(
    run_study, three_floors, table_file, part, capsys
):
    path = run_study(three_floors, table_file)
    rows = part("record").read(path)
    assert rows["model"].tolist() == FLOORS
    assert list(pd.read_csv(path)) == part("record").COLUMNS
    assert "[3/3]" in capsys.readouterr().out
    row = rows.iloc[1]
    answers = np.load(next((path.parent / "predictions").rglob("*.npz")))
    assert len(answers["true"]) == len(answers["pred"]) == row["n_test"]
    assert set(row["per_class"]) == set(answers["classes"])
    assert row["macro_f1"] == pytest.approx(np.mean([*row["per_class"].values()]), 1e-3)
    found = part("compare").compare(
        part("record").Record(path.parent, three_floors),
        part("studies").STUDIES[three_floors],
        n_draws=20,
    )
    gains = rows["weighted_f1"][1:] - rows["weighted_f1"][0]
    assert_allclose(found["difference"], gains, atol=1e-5)
    assert found["model"].tolist() == FLOORS[1:]
    with pytest.raises(
        SystemExit, match="holds 3 of these 3 runs; go on with --resume"
    ):
        run_study(three_floors, table_file)
    written = path.read_bytes()
    path.write_bytes(written[:-9])  # as a machine that fails leaves it
    part("run").main(
        [three_floors, "--data", str(table_file), "--jobs=0", "--seeds=1", "--epochs=1"]
        + ["--resume", "--out", str(path.parent)]
    )
    assert part("record").read(path)["model"].tolist() == FLOORS
    assert path.read_bytes()[: len(written) // 2] == written[: len(written) // 2]


def test_floors_are_fitted_for_each_draw_of_dialogues(
    run_study, three_floors, table_file, part
):
    rows = part("record").read(run_study(three_floors, table_file, seeds=2))
    assert rows["seed"].tolist() == [0, 0, 0]
    path = run_study(three_floors, table_file, seeds=2, dialogues=4)
    rows = part("record").read(path)
    assert rows["seed"].tolist() == [0, 0, 0] + [0, 0, 0, 1, 1, 1]


def test_a_run_that_fails_is_a_line_and_is_tried_again(
    run_study, three_floors, table_file, part, monkeypatch
):
    def broken(seed):
        raise RuntimeError("there is no such thing")

    monkeypatch.setitem(part("floors").FLOORS, FLOORS[0], broken)
    with pytest.raises(SystemExit):
        run_study(three_floors, table_file)
    path = table_file.parent / "floors.csv"
    rows = pd.read_csv(path, keep_default_na=False)
    assert rows["status"].tolist() == ["failed", "ok", "ok"]
    assert rows["error"][0] == "RuntimeError: there is no such thing"
    assert len(part("record").Record(path.parent, "floors").finished()) == 2


def test_selection_sees_no_test_dialogue(part, table_file):
    table = part("corpora").read(str(table_file))
    splits = part("splits")
    found = splits.divide(table, "official", 5, "test")
    official = {
        n: set(table.X["dialogue__id"][table.split == n]) for n in ("train", "dev")
    }
    held_out = found.X["dialogue__role"] == "validation"
    assert set(found.X["dialogue__id"][held_out]) == official["dev"]
    assert set(found.X["dialogue__id"][~held_out]) == official["train"]
    few = splits.divide(table, "official", 5, "test", dialogues=3, seed=1)
    assert few.X["dialogue__id"].nunique() == 3 + len(official["dev"])
    for fold in splits.folds(table, "training", 4):
        left = splits.divide(table, "training", 4, fold)
        seen = set(left.X["dialogue__id"]) | set(left.X_test["dialogue__id"])
        assert seen == official["train"] | official["dev"]
        assert not set(left.X["dialogue__id"]) & set(left.X_test["dialogue__id"])


def test_corpora_meet_in_the_emotions_and_features_that_they_share(part):
    corpora, splits = part("corpora"), part("splits")

    def table(name, labels, width):
        X = make_frame(
            {"text": np.eye(20)[:, :8], "audio": np.eye(20)[:, :width]},
            dialogue=np.repeat([f"{name}{n}" for n in range(10)], 2),
        )
        split = np.repeat(["train", "dev", "test"], [12, 4, 4])
        return corpora.Table(name, X, np.tile(labels, 5), split)

    one = table("one", ["hap", "sad", "xxx", "hap"], 3)
    other = table("other", ["joy", "sadness", "joy", "fear"], 4)
    found = splits.transfer(one, other)
    assert corpora.Table("", found.X, found.y, None).modalities == ["text"]
    known = found.X["dialogue__role"] != "context"
    assert set(found.y[known]) == {"joy", "sadness"}
    assert set(found.X["dialogue__id"].str.split("/").str[0]) == {
        "source",
        "few",
        "target",
    }
    all_of_them = splits.together([one, other], 1)
    ids = all_of_them.X["dialogue__id"]
    assert set(ids.str.split("/").str[0]) == {"source0", "target"}
    assert set(all_of_them.X_test["dialogue__id"]) == {"other8", "other9"}


def test_differences_are_paired_by_dialogue(part):
    compare = part("compare")
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=60)
    fold = {
        "classes": np.array(["a", "b", "c"]),
        "dialogue_names": np.array([f"d{n}" for n in range(12)]),
        "dialogue": np.repeat(np.arange(12), 5),
        "true": true,
    }
    good = {0: [fold | {"pred": np.where(rng.random(60) < 0.1, 0, true)}]}
    bad = {0: [fold | {"pred": rng.integers(3, size=60)}]}
    found = compare.paired(good, bad, "weighted_f1", 500, 0)
    scores = [f1_score(true, a[0][0]["pred"], average="weighted") for a in (good, bad)]
    assert found["difference"] == pytest.approx(scores[0] - scores[1])
    assert found["low"] <= found["difference"] <= found["high"]
    both = {0: bad[0], 1: [fold | {"pred": true}]}  # of which one seed is in common
    assert compare.paired(good, both, "weighted_f1", 500, 0) == found
    once = compare.for_all([0, 1], good)
    assert compare.paired(once, both, "weighted_f1", 500, 0)["n_seeds"] == 2
    same = compare.paired(good, good, "macro_f1", 500, 0)
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    assert_allclose(compare.holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


def test_scores_are_compared_by_their_errors(part):
    fold = {"dialogue_names": np.array(["a", "b"]), "dialogue": np.array([0, 0, 1])}
    exact = fold | {"true": np.arange(3.0), "pred": np.arange(3.0)}
    weights = np.array([[1, 1], [2, 0]])
    off = exact | {"pred": np.array([1.0, 1.0, 4.0])}
    assert_allclose(part("compare").scored([off], "mae", weights), [1.0, 0.5])


def test_wrong_neighbours_are_of_the_same_dialogue(part):
    import torch

    noisy = part("noisy")
    edges = torch.tensor([[0, 1, 2, 3, 4, 3], [1, 0, 1, 4, 3, 3]])
    first, last = noisy.dialogue_bounds(edges, 6)
    assert first.tolist() == [0, 0, 0, 3, 3, 5]
    assert last.tolist() == [2, 2, 2, 4, 4, 5]
    moved = noisy.rewired(edges, 6, 1.0)
    assert_array_equal(moved[1], edges[1])
    assert (first[moved[1]] <= moved[0]).all()
    assert (moved[0] <= last[moved[1]]).all()


def test_a_table_is_made_of_a_corpus(part, tmp_path):
    X, y = make_conversations(4, random_state=0)
    X.assign(label=y).to_csv(tmp_path / "calls.csv", index=False)
    part("make_table").main([str(tmp_path / "calls.csv"), str(tmp_path / "calls.npz")])
    modalities = ["text", "audio", "visual"]
    X_read, y_read = load_table(tmp_path / "calls.npz", modalities=modalities)
    assert_array_equal(y_read, y)
    assert_array_equal(X_read["dialogue__id"], X["dialogue__id"])
    assert_allclose(X_read.filter(like="__0"), X[X_read.filter(like="__0").columns])


def test_corpora_come_as_users_hold_them(part, meld_folder, monkeypatch):
    corpora = part("corpora")

    def lengths(X, model=None, cache=None):
        length = X[corpora.WORDS].str.len().to_numpy(float)[:, np.newaxis]
        return make_frame({"text": length}, **corpora.keys_of(X))

    monkeypatch.setattr(corpora, "embedded", lengths)
    table = corpora.read(f"meld:{meld_folder}", label="sentiment")
    assert (table.name, table.modalities) == ("meld.sentiment", ["text"])
    assert set(table.split) == {"train", "dev", "test"}
    calls = meld_folder / "calls.jsonl"
    turns = [{"dialogue": n // 2, "text": "Hm.", "label": "joy"} for n in range(4)]
    calls.write_text("\n".join(map(json.dumps, turns)))
    table = corpora.read(f"conversations:{calls}", embed="models/small")
    assert (table.name, len(table.X), set(table.split)) == ("calls@small", 4, {""})


def test_tables_of_readme_and_documentation_are_those_of_the_results(part):
    report, results = part("report"), part("record").RESULTS
    for page in report.pages():
        text = page.read_text(encoding="utf-8")
        assert report.updated(text, results) == text, (
            f"{page.name} differs from results: run report.py --update"
        )


def test_documentation_lists_all_studies(part):
    page = (EXAMPLES.parent / "docs" / "results.rst").read_text(encoding="utf-8")
    for study in part("studies").STUDIES.values():
        assert f"   {study.name},{study.question}" in page.replace('"', "")


def test_tables_stand_between_markers(run_study, three_floors, table_file, part):
    report = part("report")
    path = run_study(three_floors, table_file)
    rows = pd.read_csv(path, keep_default_na=False).assign(epochs="")
    rows.to_csv(path, index=False)
    marks = "<!-- results: floors calls -->\n<!-- end of results -->\n"
    text = report.updated(marks, path.parent)
    assert text.count("\n| ") == 5  # the head, a line, and three models
    assert report.updated(text, path.parent) == text
    rst = report.updated(".. results: floors calls\n.. end of results\n", path.parent)
    assert "   logistic regression,1," in rst
    assert report.places_in(rows) == ["calls, text+audio, official"]


def test_corpora_stand_side_by_side_with_mean_ranks(part, tmp_path):
    scores = {"one": (0.5, 0.6, 0.7), "other": (0.9, 0.8, 0.7)}
    rows = [
        dict.fromkeys(part("record").COLUMNS, "")
        | {"corpus": corpus, "model": model, "seed": seed, "status": "ok"}
        | {"weighted_f1": score + seed / 10, "macro_f1": -score}
        | {"per_class": json.dumps({"joy": score})}
        for corpus, row in scores.items()
        for model, score in zip("abc", row, strict=True)
        for seed in (0, 1)
    ]
    pd.DataFrame(rows[:-2]).to_csv(tmp_path / "systems.csv", index=False)
    table = part("report").table_of(tmp_path, "systems", "every corpus")
    assert table["one"].tolist() == ["55.0 ± 7.1", "65.0 ± 7.1", "75.0 ± 7.1"]
    assert table["other"].tolist() == ["95.0 ± 7.1", "85.0 ± 7.1", ""]
    assert table["mean rank by weighted F1"].tolist() == ["1.5", "1.5", ""]
    table = part("report").table_of(tmp_path, "systems", "one, F1 joy")
    assert table["F1 joy"].tolist() == ["50.0 ± 0.0", "60.0 ± 0.0", "70.0 ± 0.0"]


def test_differences_are_those_of_the_same_split(part, tmp_path):
    report = part("report")
    runs = pd.DataFrame([{"corpus": "one", "split": "folds 5", "epochs": ""}])
    runs = runs.assign(modalities="text", dialogues="")
    found = runs.assign(
        model="b", floor="a", score="weighted_f1", difference=0.1, low=0, high=0.2
    ).assign(p_holm=0.5)
    found.to_csv(tmp_path / "systems.compared.csv", index=False)
    table = report.differences(tmp_path, "systems", runs)
    assert table.loc["b"].tolist() == ["+10.0 [+0.0, +20.0], p = 0.5"]
    other = runs.assign(split="official")
    assert report.differences(tmp_path, "systems", other).empty


def test_models_that_were_compared_elsewhere_keep_what_was_found(part, tmp_path):
    compare = part("compare")
    place = dict.fromkeys(compare.PLACE, "")
    before = pd.DataFrame(
        [
            place | {"corpus": corpus, "model": model, "p": p}
            for corpus, model, p in (
                ("one", "a", 0.5),
                ("one", "b", 0.02),
                ("two", "a", 0.5),
            )
        ]
    )
    path = tmp_path / "systems.compared.csv"
    before.to_csv(path, index=False)
    found = compare.kept(path, before[:1].assign(p=0.03))
    found = found.set_index(["corpus", "model"])[["p", "p_holm"]]
    assert found.loc[("one", "a")].tolist() == [0.03, 0.04]  # at least that of b
    assert found.loc[("one", "b")].tolist() == [0.02, 0.04]
    assert found.loc[("two", "a")].tolist() == [0.5, 0.5]


def test_measurements_stand_beside_their_goals(part, tmp_path, monkeypatch):
    speed = part("speed")

    def found(measurement):
        cpu = measurement.n / 1e4
        memory = {"peak_mb": 1024.0, "grown_mb": 2.0}
        return {"cpu_s": cpu, "bare_s": cpu / 2, "wall_s": 1.0, **memory}

    monkeypatch.setattr(speed, "run", found)
    for _ in range(2):
        speed.main(["--out", str(tmp_path)])
    rows = pd.read_csv(tmp_path / "speed.csv")
    assert len(rows) == len(speed.measurements())
    assert not rows.duplicated(speed.KEYS).any()
    tables = {
        place: speed.table_of(tmp_path, place)
        for place in [*rows["table"].unique(), "memory"]
    }
    assert set(tables["stages"]["exponent"]) == {"1.00"}
    assert set(tables["bare"]["ratio"]) == {"2"}
    peers = tables["peers"].loc["JOYFUL, released widths"]
    assert (peers["CPU s"], peers["goal, CPU s"], peers["peak GB"]) == (
        "0.74",
        "20",
        "1",
    )
    assert set(tables["memory"]["1,000"]) == {"2"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "arguments"),
    [
        ("reading", {"n": 1000}),
        ("graph", {"n": 1000}),
        ("epoch", {"kind": "generator", "n": 1000}),
        ("epoch", {"kind": "JOYFUL", "n": 1000}),
        ("answers", {"kind": "CBERL", "n": 1000, "one_dialogue": True}),
        ("beside_bare", {"kind": "fuser"}),
    ],
)
def test_works_are_measured_in_processes_of_their_own(part, work, arguments):
    speed = part("speed")
    found = speed.run(speed.Measurement("", "", 1000, work, arguments))
    assert found["cpu_s"] > 0
    assert ("bare_s" in found) == (work == "beside_bare")


def test_pictures_are_bars_or_curves(part, tmp_path):
    names = ["logistic regression", "JOYFUL: window 1", "JOYFUL: window all"]
    runs = pd.DataFrame({"model": names, "weighted_f1": [0.5, 0.6, 0.7], "mae": np.nan})
    runs["extra"] = [{}, {"distance": 1.0}, {"distance": 2.0}]
    draw = part("pictures").draw
    draw(runs[:1], tmp_path / "bars.png")
    draw(runs, tmp_path / "curves.png")
    draw(runs, tmp_path / "distances.png", score="distance")
    assert all(path.stat().st_size > 5_000 for path in tmp_path.glob("*.png"))


def test_pictures_show_differences_where_they_are_known(part, tmp_path, monkeypatch):
    drawn = []
    pictures, picture = part("pictures"), part("report").picture
    for name in ("draw", "draw_differences"):
        kept = getattr(pictures, name)
        monkeypatch.setattr(
            pictures, name, lambda *a, k=kept, **b: drawn.append(k) or k(*a, **b)
        )
    places = [("joyful-parts", "iemocap6_ta, 40"), ("window", "iemocap6_ta, 40")]
    paths = [picture(*place, tmp_path / "new") for place in places]
    assert [each.__name__ for each in drawn] == ["draw_differences", "draw"]
    assert all(path.stat().st_size > 5_000 for path in paths)
    assert pictures.axis_of(["JOYFUL: window 2", "JOYFUL: window all"]) == "window"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_that_is_killed_goes_on(table_file, tmp_path):
    command = [sys.executable, EXAMPLES / "benchmark" / "run.py", "systems"]
    command += ["--data", table_file, "--seeds", "2", "--epochs", "1", "--resume"]
    command += ["--out", tmp_path, "--models", "most frequent", "JOYFUL"]
    path = tmp_path / "systems.csv"

    def lines():
        return path.read_text().splitlines()[1:] if path.exists() else []

    for wanted in (1, 2):
        process = subprocess.Popen(command)
        while len(lines()) < wanted:
            assert process.poll() is None
            time.sleep(0.2)
        process.kill()
        process.wait()
    kept = lines()
    subprocess.run(command, check=True)
    assert lines()[: len(kept)] == kept
    assert len(set(lines())) == len(lines()) == 3


STUDIES = """
systems imbalance ensembles learning-curve speakers transfer together augmentation masks
fusion generator samplers boosting cberl-parts tuning modalities window
augmentation-rates contrast phases depth joyful-parts sentiment
""".split()
OF_TEXT = ["text", "fine-tuned-text"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_runs_once(name, run_study, part, table_file, tmp_path):
    study = part("studies").STUDIES[name]
    second = tmp_path / "others.npz"
    second.write_bytes(table_file.read_bytes())
    several = study.kind in ("transfer", "together")
    path = run_study(name, table_file, *[second] * several)
    rows = part("record").read(path)
    made = study.pipelines(part("corpora").read(str(table_file)))
    assert len(rows) == len(made) * (1 + several)
    if study.measure:
        assert rows["extra"].map(len).all()


@pytest.fixture
def sentences(table_file, tmp_path):
    """Sentences that name the emotion of their own row."""
    with np.load(table_file) as table:
        said = [f"I feel {name}" for name in table["label_names"][table["label"]]]
        rows = {name: table[name] for name in ("dialogue", "turn")}
    path = tmp_path / "said.csv"
    pd.DataFrame(rows | {"sentence": said}).to_csv(path, index=False)
    return path


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", OF_TEXT)
def test_every_study_of_text_runs_once(
    name, run_study, part, table_file, sentences, minilm
):
    given = {"sentences": sentences, "embed": minilm, "modalities": "audio"}
    rows = part("record").read(run_study(name, table_file, **given))
    table = part("corpora").read(str(table_file), sentences=sentences, words=True)
    assert len(rows) == len(part("studies").STUDIES[name].pipelines(table))
    if name == "text":  # where nothing is left to get wrong
        score = rows.set_index("model")["weighted_f1"]["logistic regression, words"]
        assert score == 1


def test_the_studies_are_those_that_are_tested(part):
    assert [*part("studies").STUDIES] == STUDIES + OF_TEXT


def test_words_are_found_by_dialogue_and_turn(part, table_file, sentences):
    said = pd.read_csv(sentences)
    said.sample(frac=1, random_state=0).to_csv(sentences, index=False)
    table = part("corpora").read(str(table_file), sentences=sentences, words=True)
    assert table.modalities == ["audio"]
    assert table.X["utterance"].tolist() == [f"I feel {label}" for label in table.y]
    with pytest.raises(SystemExit, match="holds no words"):
        part("corpora").read(str(table_file), words=True)
