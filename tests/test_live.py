"""Conversations that still go on give the answers of the whole."""

import json
import pickle
import threading
import warnings
from copy import copy

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from systems import mostly_slow
from torch_geometric.nn import GATv2Conv

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DialogueSampler,
    DialogueVotingClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
    UtteranceClassifier,
)
from skmerc.datasets import make_conversations
from skmerc.exceptions import PartialMissingWarning
from skmerc.frame import drop_keys
from skmerc.live import LiveConversation

SHORT = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
JOYFUL = {"fusion_size": 16, "hidden_size": 8, "n_bases": 4, "heads": 2, **SHORT}
CBERL = {"hidden_size": 4, "heads": 2, **SHORT}
PAST = {"window_future": 0, "bidirectional": False}
BOOST = {"head": LogisticRegression()}


def joyful(**changes):
    return JoyfulClassifier(**JOYFUL, **changes)


def causal_joyful(**changes):
    return joyful(window_future=0, **changes)


def cberl(**changes):
    return CBERLClassifier(**CBERL, **changes)


def with_net(position, norm_first=True):
    given = {"module__position": position, "module__norm_first": norm_first}
    return {"net_params": given}


CAUSAL = {
    "joyful": causal_joyful(context_window=4, window_past=2),
    "joyful, rotary": causal_joyful(
        context_window=3, context_layers=3, graph_layers=2, **with_net("rotary")
    ),
    "joyful, pairs and waves": causal_joyful(
        context_window=None,
        window_past=None,
        relations="pairs",
        conv="rgcn",
        **with_net("sinusoidal", norm_first=False),
    ),
    "joyful, alone": causal_joyful(window_past=0, global_fusion=False, conv="mean"),
    "joyful, head": causal_joyful(context_window=1, prior="uniform", **BOOST),
    "cberl": cberl(window_past=3, graph_layers=2, **PAST),
    "cberl, no lstm": cberl(lstm_layers=0, window_future=0, window_past=-1),
    "cberl, no graph": cberl(graph_layers=0, window_past=0, **PAST),
    "cberl, code": cberl(fusion="djvae", lstm_layers=1, latent_size=4, **PAST),
    "cberl, head": cberl(**PAST, **BOOST),
    "regressor": JoyfulRegressor(window_future=0, context_window=5, **JOYFUL),
    "fuser": make_pipeline(
        DJVAEFuser(latent_size=4, hidden_size=8, **SHORT), cberl(**PAST)
    ),
    "sampler": make_imblearn_pipeline(
        DialogueSampler(RandomOverSampler(random_state=0)), cberl(**PAST)
    ),
}
AHEAD = {
    "joyful": joyful(context_window=2, window_past=2, window_future=1),
    "joyful, graph": joyful(global_fusion=False, window_past=3, graph_layers=2),
    "joyful, pairs": joyful(context_window=2, relations="pairs"),
    "joyful, by default": joyful(),
    "joyful, foreign": causal_joyful(conv=GATv2Conv),
    "cberl, by default": cberl(),
    "cberl, no lstm": cberl(lstm_layers=0, window_future=2, window_past=3),
    "cberl, lstm": cberl(bidirectional=False, window_future=1),
    "dialoguegcn": DialogueGCNClassifier(hidden_size=4, n_bases=2, **SHORT),
}


@pytest.fixture(scope="module")
def tables():
    """What is learned from, and a long dialogue of three in which much is missing."""
    X, y = make_conversations(12, n_turns=(3, 6), random_state=0)
    heard, _ = make_conversations(1, n_turns=36, random_state=3)
    rng = np.random.default_rng(0)
    heard["dialogue__speaker"] = rng.choice(["Ann", "Ben", ""], len(heard))
    for name in ("text", "audio", "visual"):
        columns = heard.columns[heard.columns.str.startswith(name)]
        heard.loc[rng.random(len(heard)) < 0.3, columns] = np.nan
    return X, y, heard


def fit(model, X, y):
    target = X["text__0"] if isinstance(model, JoyfulRegressor) else y
    return model.fit(X, target)


def answers_of(model, X):
    asked = getattr(model, "predict_proba", model.predict)
    return asked(X).reshape(len(X), -1)


def hear(conversation, heard, turns=slice(None)):
    features = drop_keys(heard)
    for at in range(len(heard))[turns]:
        who = heard["dialogue__speaker"].iloc[at]
        yield at, conversation.add(speaker=who, features=features.iloc[at])


def now(conversation):
    return conversation.turns.iloc[:, 3:].to_numpy(float)


@pytest.mark.parametrize("name", mostly_slow(CAUSAL))
def test_a_turn_is_answered_as_the_whole_is(tables, name):
    X, y, heard = tables
    model = fit(CAUSAL[name], X, y)
    conversation = LiveConversation(model)
    assert not conversation.looks_ahead
    for _, turn in hear(conversation, heard):
        assert turn.changed.empty
    if name == "regressor":
        found = conversation.turns[["answer"]].to_numpy(float)
    else:
        found = now(conversation)
    assert_allclose(found, answers_of(model, heard), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", mostly_slow(AHEAD))
def test_where_it_looks_ahead_all_answers_are_those_of_today(tables, name):
    X, y, heard = tables
    model = fit(AHEAD[name], X, y)
    conversation = LiveConversation(model)
    assert conversation.looks_ahead
    before = np.empty((0, len(model.classes_)))
    for at, turn in hear(conversation, heard, slice(12)):
        whole = answers_of(model, heard.iloc[: at + 1])
        assert_allclose(now(conversation), whole, rtol=0, atol=1e-9)
        shift = np.abs(whole[:-1] - before).max(axis=1, initial=0)
        moved = np.flatnonzero(shift > 1e-6)
        assert turn.changed.index.tolist() == moved.tolist()
        assert_allclose(turn.changed["shift"], shift[moved], atol=1e-9)
        assert turn.changed["now"].tolist() == list(
            model.classes_[whole[moved].argmax(axis=1)]
        )
        before = whole


@pytest.mark.slow
def test_what_is_remembered_does_not_grow_beyond_the_windows(tables):
    X, y, heard = tables
    for model in (CAUSAL["joyful"], CAUSAL["cberl"]):
        conversation = LiveConversation(fit(model, X, y))
        sizes = []
        for _ in hear(conversation, heard):
            sizes.append(len(pickle.dumps(conversation._state[1])))
        assert sizes[8] == sizes[-1]


def of_rows():
    """What an EmotionRecognizer takes where there is little to learn from."""
    several = UtteranceClassifier(OneVsRestClassifier(LogisticRegression()))
    return make_pipeline(FunctionTransformer(drop_keys), SimpleImputer(), several)


@pytest.mark.parametrize(
    ("make", "rounding"), [(lambda: causal_joyful(), 1e-9), (of_rows, 1e-6)]
)
def test_several_emotions_at_once(tables, make, rounding):
    X, y, heard = tables
    Y = np.stack([y == "joy", y != "neutral"], axis=1).astype(int)
    model = make().fit(X, Y)
    conversation = LiveConversation(model)
    answers = [turn.answer for _, turn in hear(conversation, heard, slice(9))]
    found = model.predict(heard.iloc[:9])
    assert answers == [np.flatnonzero(row).tolist() for row in found]
    assert_allclose(
        now(conversation), model.predict_proba(heard.iloc[:9]), atol=rounding
    )


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
@pytest.mark.parametrize("output", mostly_slow(["pandas", "default"]))
@pytest.mark.parametrize("scaled", mostly_slow(["names", "slice", "mask"]))
def test_columns_are_transformed_as_in_a_table(tables, output, scaled):
    X, y, heard = tables
    text = X.columns.str.startswith("text__")
    where = np.flatnonzero(text)
    columns = {
        "names": list(X.columns[text]),
        "slice": slice(where[0], where[-1] + 1),
        "mask": text,
    }[scaled]
    features = ColumnTransformer(
        [("text", StandardScaler(), columns), ("no", "drop", ["visual__0"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    if output == "default":  # which loses the names of keys, and with them the texts
        features.set_params(remainder="drop")
    features.set_output(transform=output)
    model = make_pipeline(features, cberl(**PAST)).fit(X, y)
    conversation = LiveConversation(model)
    for _ in hear(conversation, heard):
        pass
    # The scaler rounds columns of single precision as such, and single numbers not.
    assert_allclose(now(conversation), model.predict_proba(heard), atol=1e-5)


def around(table):
    """Let the first feature hear the turns before, as only the user knows."""
    return table.assign(text__0=table["text__0"].rolling(2, min_periods=1).sum())


def test_functions_and_other_models_are_asked_for_the_whole(tables):
    X, y, heard = tables
    models = [
        make_pipeline(FunctionTransformer(around), cberl(**PAST)),
        make_pipeline(
            FunctionTransformer(drop_keys),
            SimpleImputer(),
            LogisticRegression(),
        ),
    ]
    for model in models:
        conversation = LiveConversation(model.fit(X, y))
        assert conversation.looks_ahead
        whole = heard.assign(text__0=1.0).dropna().iloc[:6]
        whole["dialogue__turn"] = np.arange(6)
        for _ in hear(conversation, whole):
            pass
        assert_allclose(now(conversation), model.predict_proba(whole), atol=1e-5)


@pytest.fixture(scope="module")
def model(tables):
    X, y, _ = tables
    return causal_joyful(context_window=4, window_past=2).fit(X, y)


def test_features_are_given_by_modality_by_column_or_as_an_array(tables, model):
    _, _, heard = tables
    table = drop_keys(heard).iloc[[0]].fillna(0.5)
    blocks = {
        name: table.filter(like=f"{name}__").iloc[0].to_numpy()
        for name in ("text", "audio", "visual")
    }
    given = [table, table.iloc[0], dict(table.iloc[0]), table.to_numpy(), blocks]
    answers = {
        LiveConversation(model)
        .add(features=features)
        .probabilities.to_numpy()
        .tobytes()
        for features in given
    }
    assert len(answers) == 1
    conversation = LiveConversation(model)
    without = conversation.add(features={"text": blocks["text"], "audio": None})
    gone = table.copy()
    gone.loc[:, ~gone.columns.str.startswith("text__")] = np.nan
    assert_allclose(without.probabilities, model.predict_proba(gone)[0], atol=1e-9)


def test_a_row_of_a_table_brings_its_speaker(tables, model):
    _, _, heard = tables
    said = heard.iloc[[0]].fillna(0.5)
    forms = [said, said.iloc[0], said.iloc[0].to_dict()]
    for features in forms:
        turn = LiveConversation(model).add(features=features)
        assert turn.speaker == said["dialogue__speaker"].iloc[0]
        named = LiveConversation(model).add(speaker="Zoe", features=features)
        assert named.speaker == "Zoe"


def test_features_with_names_may_come_in_another_order(tables, model):
    _, _, heard = tables
    row = drop_keys(heard).filter(like="text__").iloc[0].fillna(0.5)

    def answer(text):
        return LiveConversation(model).add(features={"text": text}).probabilities

    expected = answer(row.to_numpy())
    short = row.rename(lambda name: name.partition("__")[2])
    numbers = pd.Series(row.to_numpy(), index=[*range(len(row))])
    for named in (row[::-1], short[::-1], numbers, pd.Series(row.to_numpy())):
        for form in (named, named.to_frame().T):
            pd.testing.assert_series_equal(answer(form), expected)
    with pytest.raises(ValueError, match=r"labels 'other0', \.\.\., and the model"):
        answer(pd.Series(row.to_numpy(), index=[f"other{n}" for n in range(len(row))]))


def test_arrays_are_read_as_make_frame_reads_them(tables, model):
    row = drop_keys(tables[2]).filter(like="text__").iloc[0].fillna(0.5).to_numpy()
    masked = np.ma.array(row, mask=np.arange(len(row)) == 1)
    for values, words in (
        (
            masked,
            r"features\['text'\] is an array with masked cells, the first in row 0",
        ),
        (masked[None], "with masked cells, the first in row 0"),
        (torch.tensor(row, requires_grad=True), r"give tensor\.detach\(\)\.cpu"),
        (torch.tensor(row, dtype=torch.bfloat16), r"give tensor\.detach\(\)\.cpu"),
        (np.array([row, row]), "has the shape"),
        (pd.DataFrame([row, row]), r"features\['text'\] has 2 rows; a turn is one"),
    ):
        with pytest.raises(ValueError, match=words):
            LiveConversation(model).add(features={"text": values})


@pytest.mark.parametrize("make", [causal_joyful, joyful])
def test_a_copy_of_a_conversation_goes_its_own_way(tables, make):
    X, y, heard = tables
    first = LiveConversation(make().fit(X, y))
    hear_all = [features for _, features in drop_keys(heard).fillna(0.5).iterrows()]
    for features in hear_all[:3]:
        first.add(speaker="Ann", features=features)
    before = first.turns
    other = copy(first)
    other.add(speaker="Ben", features=hear_all[3])
    pd.testing.assert_frame_equal(first.turns, before)
    assert len(other.turns) == 4
    turn = first.add(speaker="Ben", features=hear_all[3])
    pd.testing.assert_frame_equal(first.turns, other.turns)
    assert turn.speaker == "Ben"


def test_half_a_character_is_refused(tables, model):
    with pytest.raises(ValueError, match="holds half a character"):
        LiveConversation(model).add(text="\ud83d hi")


@pytest.mark.parametrize(
    ("given", "words"),
    mostly_slow(
        [
            ({}, "neither text nor features"),
            ({"text": "Yes."}, "no text embedder"),
            ({"features": {"smell": [1.0]}}, "'smell'"),
            ({"features": {"text": [1.0]}}, r"features\['text'\] has the shape \(1,\)"),
            ({"features": [1.0, 2.0]}, r"has the shape \(2,\)"),
            ({"features": {"text__0": "high"}}, "'high' in column 'text__0'"),
            ({"features": {"text__0": np.inf}}, "text__0"),
        ]
    ),
)
def test_a_turn_that_cannot_be_read_changes_nothing(tables, model, given, words):
    _, _, heard = tables
    conversation = LiveConversation(model)
    list(hear(conversation, heard, slice(2)))
    before = conversation.turns
    with pytest.raises(ValueError, match=words):
        conversation.add(speaker="Ann", **given)
    pd.testing.assert_frame_equal(conversation.turns, before)
    list(hear(conversation, heard, slice(2, 5)))
    assert_allclose(now(conversation), model.predict_proba(heard.iloc[:5]), atol=1e-9)


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_a_model_that_knows_no_columns_is_refused(tables):
    X, y, _ = tables
    fitted = cberl().fit(drop_keys(X).to_numpy(), y)
    with pytest.raises(ValueError, match="names of its columns"):
        LiveConversation(fitted)


def test_a_model_without_probabilities_or_of_a_search_that_kept_none_is_refused(tables):
    X, y, _ = tables
    single = UtteranceClassifier(LogisticRegression())
    vote = DialogueVotingClassifier([("one", single)], voting="hard").fit(X, y)
    with pytest.raises(ValueError, match="gives no probabilities .*voting='soft'"):
        LiveConversation(vote)
    search = GridSearchCV(single, {}, cv=2, refit=False).fit(X, y)
    with pytest.raises(ValueError, match="GridSearchCV keeps no model.*refit=False"):
        LiveConversation(search)


def test_warnings_come_once_in_a_conversation(model, tables):
    _, _, heard = tables
    conversation = LiveConversation(model)
    partial = {"text__0": 1.0}
    for _ in range(2):
        with pytest.warns(PartialMissingWarning):
            conversation.add(features=partial)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(3):
                conversation.add(features=partial)
        conversation.reset()
        assert len(conversation) == 0


def test_a_warning_names_the_turn_and_not_the_row_of_a_step(model, tables):
    _, _, heard = tables
    conversation = LiveConversation(model)
    hear_all = list(hear(conversation, heard, slice(0, 2)))
    assert len(hear_all) == 2
    with pytest.warns(PartialMissingWarning, match="^Turn 2: "):
        conversation.add(features={"text__0": 1.0})


@pytest.mark.slow
def test_conversations_share_a_model_and_can_be_laid_aside(model, tables):
    _, _, heard = tables
    state = pickle.dumps(model.net_.module_.state_dict())
    conversations = [LiveConversation(model) for _ in range(4)]

    def follow(number):
        conversation = conversations[number]
        for at, _ in hear(conversation, heard.iloc[number:]):
            if at == 5:
                conversation = pickle.loads(pickle.dumps(conversation))
        conversations[number] = conversation

    threads = [threading.Thread(target=follow, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, conversation in enumerate(conversations):
        assert_allclose(
            now(conversation)[:6],
            model.predict_proba(heard.iloc[number:])[:6],
            atol=1e-9,
        )
    assert pickle.dumps(model.net_.module_.state_dict()) == state


def test_a_conversation_goes_on_after_a_pickle(model, tables):
    _, _, heard = tables
    conversation = LiveConversation(model)
    list(hear(conversation, heard, slice(10)))
    conversation = pickle.loads(pickle.dumps(conversation))
    list(hear(conversation, heard, slice(10, None)))
    assert_allclose(now(conversation), model.predict_proba(heard), atol=1e-9)


def put_away(conversation, model):
    """Write it, and go on with a model that was loaded again."""
    text = conversation.to_json()
    json.loads(text, parse_constant=pytest.fail)  # words that JSON does not know
    return LiveConversation.from_json(pickle.loads(pickle.dumps(model)), text)


@pytest.mark.parametrize(
    "name", mostly_slow(["joyful", "cberl", "regressor", "joyful, by default"])
)
def test_a_conversation_goes_on_from_json(tables, name):
    X, y, heard = tables
    model = fit((CAUSAL | AHEAD)[name], X, y)
    conversation = put_away(LiveConversation(model), model)
    for part in (slice(1), slice(1, 8), slice(8, 12)):
        list(hear(conversation, heard, part))
        before = conversation.turns
        conversation = put_away(conversation, model)
        pd.testing.assert_frame_equal(conversation.turns, before)
    columns = conversation.turns.columns[3:] if hasattr(model, "classes_") else "answer"
    found = conversation.turns[columns].to_numpy(float).reshape(12, -1)
    assert_allclose(found, answers_of(model, heard.iloc[:12]), rtol=0, atol=1e-9)


@pytest.mark.slow
def test_rows_that_are_read_again_are_put_away(tables):
    X, y, heard = tables
    model = make_pipeline(FunctionTransformer(around), cberl(**PAST)).fit(X, y)
    whole = heard.assign(text__0=1.0).dropna().iloc[:6]
    whole["dialogue__turn"] = np.arange(6)
    conversation = LiveConversation(model)
    list(hear(conversation, whole, slice(3)))
    conversation = put_away(conversation, model)
    list(hear(conversation, whole, slice(3, 6)))
    assert_allclose(now(conversation), model.predict_proba(whole), atol=1e-5)


def test_a_conversation_that_was_put_away_has_warned(model):
    conversation = LiveConversation(model)
    with pytest.warns(PartialMissingWarning):
        conversation.add(features={"text__0": 1.0})
    put_away(conversation, model).add(features={"text__0": 1.0})


def test_what_is_no_conversation_of_the_model_is_refused(tables, model):
    X, y, heard = tables
    conversation = LiveConversation(model)
    list(hear(conversation, heard, slice(3)))
    good = json.loads(conversation.to_json())
    turns = good["answers"]["shape"]
    tensor = {"kind": "int64", "shape": [1], "data": "AQAAAAAAAAA="}
    damaged = [
        {"format": 2},
        {"speakers": ["Ann"]},
        {"speakers": [1, 2, 3]},
        {"rows": [{"smell": 1.0}]},
        {"answers": good["answers"] | {"shape": [turns[0] + 1, turns[1]]}},
        {"answers": good["answers"] | {"kind": "object"}},
        {"state": None},
        {"state": [{"names": {"Ann": 0}}, [tensor] * 3]},
        {"told": None},
    ]
    texts = [json.dumps(good | change) for change in damaged]
    for text in [*texts, "", "[1]", "[" * 100_000, texts[0][:-9], "{}"]:
        with pytest.raises(ValueError, match="no conversation with this model"):
            LiveConversation.from_json(model, text)
    other = causal_joyful(context_window=4, window_past=3).fit(X, y)
    with pytest.raises(ValueError, match="the model has other weights"):
        LiveConversation.from_json(other, json.dumps(good))


def scaled_union(*last):
    """Steps that scikit-learn fits where they stand."""
    union = FeatureUnion([("as it is", StandardScaler()), ("twice", StandardScaler())])
    steps = FunctionTransformer(drop_keys), SimpleImputer(), union
    return make_pipeline(*steps, *last)


@pytest.mark.parametrize(
    "model",
    [
        causal_joyful(),
        make_pipeline(DJVAEFuser(latent_size=4, hidden_size=8, **SHORT), cberl(**PAST)),
        make_pipeline(cberl()),
        UtteranceClassifier(make_pipeline(SimpleImputer(), LogisticRegression())),
        scaled_union(LogisticRegression()),
        make_pipeline(scaled_union(), LogisticRegression()),
    ],
)
def test_it_answers_with_the_fit_that_it_was_given(tables, model):
    X, y, heard = tables
    model = clone(model).fit(X, y)
    before = model.predict_proba(heard)
    conversation = LiveConversation(model)
    list(hear(conversation, heard, slice(5)))
    other = X["dialogue__id"] != X["dialogue__id"].iloc[0]
    table = X[other & (y != y[0])]  # of other classes, and in other units
    table = table.assign(**3 * drop_keys(table) + 1)
    model.fit(table, y[table.index])
    assert len(model.classes_) < len(conversation.classes_)
    list(hear(conversation, heard, slice(5, None)))
    assert_allclose(now(conversation), before, atol=1e-6)


@pytest.mark.parametrize("form", ["nullable", "arrow", "objects", "polars", "pyarrow"])
def test_a_row_may_come_from_any_table(tables, model, form):
    _, _, heard = tables
    said = heard.iloc[[2]].copy()
    said.loc[:, said.columns.str.startswith("audio__")] = np.nan
    convert = {
        "nullable": lambda table: table.convert_dtypes(),
        "arrow": lambda table: table.convert_dtypes(dtype_backend="pyarrow"),
        "objects": lambda table: table.astype(object).where(table.notna(), pd.NA),
        "polars": lambda table: pytest.importorskip("polars").from_pandas(table),
        "pyarrow": lambda table: pytest.importorskip("pyarrow").table(
            {name: table[name].to_numpy() for name in table}
        ),
    }
    given = convert[form](said)
    turn = LiveConversation(model).add(features=given)
    assert turn.speaker == said["dialogue__speaker"].iloc[0]
    assert_allclose(turn.probabilities, model.predict_proba(said)[0], atol=1e-9)
    if isinstance(given, pd.DataFrame):
        row = LiveConversation(model).add(features=given.iloc[0])
        assert_allclose(row.probabilities, turn.probabilities, atol=1e-9)


def test_text_is_no_number_of_a_turn(model):
    with pytest.raises(ValueError, match=r"'0\.5' in column 'text__1'"):
        LiveConversation(model).add(features={"text__0": 0.5, "text__1": "0.5"})


def test_a_turn_can_be_read(model, tables):
    _, _, heard = tables
    conversation = LiveConversation(model)
    *_, (_, turn) = hear(conversation, heard, slice(3))
    assert str(turn).startswith(f"2 {turn.speaker}: {turn.answer} (")
    assert turn.probabilities.idxmax() == turn.answer
    assert conversation.turns["answer"].iloc[2] == turn.answer
