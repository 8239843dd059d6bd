"""What the pages say of other libraries, run with each that is installed.

CONTRIBUTING.md names them all.
"""

import json
import re
from pathlib import Path
from textwrap import dedent
from wsgiref.util import setup_testing_defaults

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from systems import make_model

from skmerc.datasets import load_convokit, make_conversations, to_frame
from skmerc.frame import drop_keys
from skmerc.inspection import answer_function
from skmerc.model_selection import DialogueKFold
from skmerc.tuning import DialogueObjective, search_space

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?: {4}.*\n|\n)+)", re.MULTILINE)
SAID = [("d0", "Ann", "I am so happy!", "joy"), ("d0", "Bob", "Why?", "neutral")] + [
    (f"d{n}", who, text, label)
    for n in range(1, 5)
    for who, text, label in [("Ann", "Great!", "joy"), ("Bob", "Well.", "neutral")]
]
CALLS = pd.DataFrame(SAID, columns=["dialogue", "speaker", "text", "label"])

# Libraries warn of each other while they are imported, and of what they will change.
pytestmark = pytest.mark.filterwarnings("default")


def run_block(page, library, **names):
    """Run the block of a page that imports a library, and return its names."""
    pytest.importorskip(library, reason=f"needs {library}")
    blocks = map(dedent, BLOCK.findall((DOCS / page).read_text(encoding="utf-8")))
    imports = re.compile(rf"^(?:import|from) {re.escape(library)}\b", re.MULTILINE)
    (block,) = filter(imports.search, blocks)
    exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture(scope="module")
def table():
    return make_conversations(8, n_turns=(3, 5), random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    return make_model("cberl", max_epochs=2).fit(*table)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(folder):
    """A model of texts, in the file that the page on serving loads."""
    persistence = pytest.importorskip("skmerc.persistence")
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    X, y = to_frame(CALLS)
    words = ColumnTransformer([("words", TfidfVectorizer(), "utterance")])
    model = make_pipeline(words, LogisticRegression()).fit(X, y)
    persistence.save_model(model, "emotions.skmerc")
    return model


def small(**given):
    return make_model("cberl", max_epochs=2, **given)


# Tracking


def test_tensorboard_gets_the_scores_of_each_epoch(table, folder):
    pytest.importorskip("tensorboard", reason="needs tensorboard")
    X, y = table
    names = run_block(
        "tracking.rst", "torch.utils.tensorboard", CBERLClassifier=small, X=X, y=y
    )
    names["writer"].close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "runs" / "cberl")).Reload()
    told = [event.step for event in events.Scalars("Loss/train_loss")]
    assert told == [1, 2]


def test_weights_and_biases_gets_the_scores_of_each_epoch(table, folder, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    X, y = table
    names = run_block("tracking.rst", "wandb", CBERLClassifier=small, X=X, y=y)
    summary = dict(names["run"].summary)
    names["run"].finish()
    assert np.isfinite(summary["train_loss"])


def test_mlflow_keeps_a_model_and_its_history(table, fitted, folder):
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    run_block("tracking.rst", "mlflow", model=fitted)
    (run,) = mlflow.search_runs(output_format="list")
    client = mlflow.MlflowClient()
    steps = [m.step for m in client.get_metric_history(run.info.run_id, "train_loss")]
    assert steps == [1, 2]
    (logged,) = mlflow.search_logged_models(output_format="list")
    again = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(
        again.predict_proba(table[0]), fitted.predict_proba(table[0])
    )


def test_skore_reports_on_folds_of_whole_dialogues(table, fitted, folder):
    skore = pytest.importorskip("skore", reason="needs skore")
    X, y = table
    report = skore.CrossValidationReport(fitted, X, y, splitter=DialogueKFold(2))
    assert len(report.metrics.summarize().frame())
    ids = X["dialogue__id"]
    for train, test in report.split_indices:
        assert not set(ids.iloc[train]) & set(ids.iloc[test])


def test_optuna_dashboard_shows_the_scores_of_folds(table, folder):
    dashboard = pytest.importorskip("optuna_dashboard", reason="needs optuna-dashboard")
    optuna = pytest.importorskip("optuna")
    storage = "sqlite:///study.db"  # as on the page on tracking
    study = optuna.create_study(storage=storage, direction="maximize")
    space = {"lr": search_space("CBERLClassifier")["lr"]}
    study.optimize(DialogueObjective(small(), *table, space, cv=2), n_trials=1)
    request = {"PATH_INFO": "/api/studies/1"}
    setup_testing_defaults(request)
    (answer,) = dashboard.wsgi(storage)(request, lambda *told: None)
    (trial,) = json.loads(answer)["trials"]
    shown = {attribute["key"] for attribute in trial["user_attrs"]}
    assert {"split0_test_score", "split1_test_score"} <= shown


# Serving


def test_fastapi_answers_each_turn(served):
    client_of = pytest.importorskip("fastapi.testclient", reason="needs fastapi, httpx")
    names = run_block("serving.rst", "fastapi")
    client = client_of.TestClient(names["app"])
    turns = CALLS.loc[:1, ["speaker", "text"]].to_dict("records")
    X, _ = to_frame([turns], label=None)
    assert client.post("/emotions", json=turns).json() == served.predict(X).tolist()
    assert client.post("/emotions", json=[]).status_code == 422


def test_gradio_answers_each_line(served, monkeypatch):
    gradio = pytest.importorskip("gradio", reason="needs gradio")
    shown = []
    monkeypatch.setattr(gradio.Interface, "launch", lambda self: shown.append(self))
    run_block("serving.rst", "gradio")
    answer = shown[0].fn
    rows = answer("Ann: Great!\n\nBob: Well: no.\n")
    assert [row[:2] for row in rows] == [["Ann", "Great!"], ["Bob", "Well: no."]]
    assert {row[2] for row in rows} <= set(served.classes_)
    with pytest.raises(gradio.Error):
        answer(" \n")


# Explanation


def test_shap_shares_an_answer_out(table, fitted):
    X, _ = table
    ask, features = answer_function(fitted, X, 3), drop_keys(X)
    names = run_block("explanation.rst", "shap", ask=ask, features=features)
    shares = names["shares"]
    assert shares.values.shape == (1, features.shape[1], len(fitted.classes_))
    np.testing.assert_allclose(
        shares.base_values[0] + shares.values[0].sum(axis=0),
        ask(features.loc[[3]].to_numpy())[0],
        atol=1e-5,
    )


# Tables


def test_a_dataset_of_hugging_face_is_a_table_of_utterances():
    # Not the package, since a folder of these tests has its name.
    tables = pytest.importorskip("datasets.arrow_dataset", reason="needs datasets")
    X, y = to_frame(tables.Dataset.from_pandas(CALLS))
    expected, labels = to_frame(CALLS)
    pd.testing.assert_frame_equal(X, expected)
    np.testing.assert_array_equal(y, labels)


def test_a_corpus_of_convokit_is_a_table_of_utterances(folder):
    convokit = pytest.importorskip("convokit", reason="needs convokit")
    said = [
        convokit.Utterance(
            id=str(row),
            speaker=convokit.Speaker(id=call.speaker),
            conversation_id=call.dialogue,
            timestamp=row,
            text=call.text,
            meta={"label": call.label},
        )
        for row, call in enumerate(CALLS.itertuples())
    ]
    corpus = convokit.Corpus(utterances=said)
    X, y = to_frame(corpus)
    assert X["utterance"].tolist() == CALLS["text"].tolist()
    assert X["dialogue__speaker"].tolist() == CALLS["speaker"].tolist()
    assert list(y) == CALLS["label"].tolist()
    corpus.dump("calls", base_path=folder)
    again, labels = load_convokit(folder / "calls", label="label")
    assert again["utterance"].tolist() == CALLS["text"].tolist()
    assert list(labels) == CALLS["label"].tolist()
