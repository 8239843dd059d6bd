"""What is not saved, and files that are damaged, foreign, forged or of other times."""

import io
import json
import os
import pickle
import re
import sys
import threading
from contextlib import suppress
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNet
from systems import mostly_slow

from skmerc import CBERLClassifier, DJVAEFuser, FocalAdaBoostClassifier
from skmerc.datasets import make_conversations
from skmerc.exceptions import OtherVersionWarning, UntrustedTypeError

pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
pytest.importorskip("safetensors", reason="needs safetensors: skmerc[persistence]")

import skops.io  # noqa: E402

from skmerc.persistence import load_model, save_model  # noqa: E402
from skmerc.persistence._checks import nodes  # noqa: E402


class Watched(TransformerMixin, BaseEstimator):
    """An estimator of somebody else, which notices when it is made."""

    made = 0

    def __setstate__(self, state):
        Watched.made += 1
        super().__setstate__(state)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skmerc"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """What is in the file of a small model that is fitted."""
    X, y = make_conversations(4, random_state=0)
    model = CBERLClassifier(hidden_size=4, max_epochs=1, device="cpu", random_state=0)
    path = tmp_path_factory.mktemp("saved") / "model.skmerc"
    save_model(model.fit(X, y), path)
    return path.read_bytes()


@pytest.fixture
def saved(path, content):
    """A file of its own with that model."""
    path.write_bytes(content)
    return path


def rewrite(path, **changes):
    """Change members of a file; a dict changes entries of one in JSON."""
    with ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    for name, change in changes.items():
        full = next(member for member in members if member.startswith(name))
        if isinstance(change, dict):
            change = json.dumps(json.loads(members[full]) | change).encode()
        members[full] = change
    with ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def structure_of(schema):
    with ZipFile(io.BytesIO(skops.io.dumps(None))) as file:
        protocol = json.loads(file.read("schema.json"))["protocol"]
    content = io.BytesIO()
    with ZipFile(content, "w") as file:
        file.writestr("schema.json", json.dumps(schema | {"protocol": protocol}))
    return content.getvalue()


def node(loader, module, name, **rest):
    return {"__loader__": loader, "__module__": module, "__class__": name} | rest


def text(value):
    return node("JsonNode", "builtins", "str", content=json.dumps(value))


def call(module, name, argument):
    args = node("TupleNode", "builtins", "tuple", content=[text(argument)])
    return node("ConstructorFromReduceNode", module, name, content=args)


def stored(kind):
    """An estimator with a network of some kind."""
    parts = {"kind": kind, "settings": a_dict({}), "training": text(True)}
    module = node(
        "ObjectNode",
        "skmerc._training._stored",
        "StoredModule",
        content=a_dict(parts | {"state": a_dict({})}),
    )
    attributes = a_dict({"vae_": module})
    return node("ObjectNode", "skmerc.fusion._djvae", "DJVAEFuser", content=attributes)


def a_dict(content, key=("builtins", "str")):
    types = [node("TypeNode", *key) for _ in content]
    keys = node("ListNode", "builtins", "list", content=types)
    return node("DictNode", "builtins", "dict", content=content, key_types=keys)


FORGED = {
    "a_call": lambda mark: call("os", "mkdir", mark),
    "a_hidden_import": lambda mark: call("antigravity", "geohash", mark),
    "a_key": lambda mark: a_dict({mark: text(1)}, key=("os", "mkdir")),
    "a_network": lambda mark: stored(node("TypeNode", "os", "mkdir")),
    "a_function": lambda mark: node("FunctionNode", "os", "mkdir"),
    "an_operator": lambda mark: node(
        "OperatorFuncNode",
        "operator",
        "methodcaller",
        attrs=node("TupleNode", "builtins", "tuple", content=[text("fit")]),
    ),
    "a_method": lambda mark: node(
        "MethodNode",
        "skmerc.fusion._djvae",
        "DJVAEFuser",
        content={"func": "fit", "obj": stored(node("TypeNode", "builtins", "int"))},
    ),
}


class Mkdir:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.parametrize("attack", mostly_slow(FORGED))
def test_forged_files_are_refused_before_anything_runs(saved, tmp_path, attack):
    mark = str(tmp_path / "mark")
    rewrite(saved, structure=structure_of(FORGED[attack](mark)))
    sys.modules.pop("antigravity", None)
    with pytest.raises(UntrustedTypeError, match=r"nothing of the file has run.*trust"):
        load_model(saved)
    assert not os.path.exists(mark)
    assert "antigravity" not in sys.modules


def test_the_pickle_inside_a_foreign_net_is_not_read(saved, tmp_path):
    mark = str(tmp_path / "mark")
    net = NeuralNet.__new__(NeuralNet)
    evil = {"device": "cpu", "__cuda_dependent_attributes__": None}
    evil["__cuda_dependent_attributes__"] = pickle.dumps(Mkdir(mark))
    structure = skops.io.dumps(evil)
    with ZipFile(io.BytesIO(structure)) as file:
        attributes = json.loads(file.read("schema.json"))
        members = {n: file.read(n) for n in file.namelist() if n != "schema.json"}
    forged = node("ObjectNode", "skorch.net", "NeuralNet", content=attributes)
    content = io.BytesIO(structure_of(forged))
    with ZipFile(content, "a") as file:
        for name, member in members.items():
            file.writestr(name, member)
    rewrite(saved, structure=content.getvalue())
    with pytest.raises(UntrustedTypeError, match=r"skorch\.net\.NeuralNet"):
        load_model(saved)
    assert not os.path.exists(mark)
    # The attack would work where the net is trusted:
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(saved, trusted=[type(net)])
    assert os.path.exists(mark)


def test_networks_are_built_of_known_kinds_only(saved):
    rewrite(saved, structure=structure_of(stored(node("TypeNode", "builtins", "int"))))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(saved)


@pytest.mark.parametrize("trusted", [[Watched], [f"{__name__}.Watched"]])
def test_other_types_are_refused_by_name_until_they_are_trusted(path, trusted):
    save_model(make_pipeline(Watched(), LogisticRegression()), path)
    made = Watched.made
    name = re.escape(f"trusted=['{__name__}.Watched']")
    with pytest.raises(UntrustedTypeError, match=name):
        load_model(path)
    assert Watched.made == made
    assert isinstance(load_model(path, trusted=trusted)[0], Watched)


def test_trees_are_refused_until_they_are_trusted(path):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    model = FocalAdaBoostClassifier(n_estimators=3, random_state=0).fit(X, y)
    save_model(model, path)
    with pytest.raises(UntrustedTypeError, match=r"sklearn\.tree\._tree\.Tree"):
        load_model(path)
    loaded = load_model(path, trusted=["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_a_file_that_was_cut_off_is_told(saved):
    whole = saved.read_bytes()
    for length in [0, 1, 30, len(whole) // 2, len(whole) - 30, len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"model\.skmerc is damaged"):
            load_model(saved)


def test_a_flipped_bit_is_told_or_makes_no_difference(saved):
    whole = saved.read_bytes()
    expected = repr(load_model(saved).get_params())
    weights = load_model(saved).net_.module_.state_dict()
    refused = 0
    for place in range(0, len(whole), len(whole) // 60):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        saved.write_bytes(flipped)
        try:
            model = load_model(saved)
        except ValueError:
            refused += 1
            continue
        assert repr(model.get_params()) == expected
        kept = model.net_.module_.state_dict()
        assert all(weights[name].equal(kept[name]) for name in weights)
    assert refused > 50


@pytest.mark.slow
def test_a_flipped_bit_at_the_end_is_told_or_makes_no_difference(path):
    """The directory of the file, where wrong places end in errors of all kinds."""
    save_model(LogisticRegression(C=0.5), path)
    whole = path.read_bytes()
    for place in range(len(whole) - 250, len(whole)):
        for bit in (1, 64):
            flipped = bytearray(whole)
            flipped[place] ^= bit
            path.write_bytes(flipped)
            with suppress(ValueError):
                assert load_model(path).C == 0.5


def test_files_of_another_kind_are_told(path, tmp_path):
    path.write_bytes(pickle.dumps(LogisticRegression()))
    with pytest.raises(ValueError, match="or no file of save_model"):
        load_model(path)
    skops.io.dump(LogisticRegression(), path)
    with pytest.raises(ValueError, match=r"or no file of save_model.*skmerc\.json"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        load_model(tmp_path)


def test_a_newer_format_is_told_with_what_to_do(saved):
    rewrite(saved, skmerc={"format": 2, "skmerc": "7.1.0"}, weights=b"", structure=b"")
    with pytest.raises(ValueError, match=r"skmerc 7\.1\.0 in a newer format.*Update"):
        load_model(saved)


@pytest.mark.parametrize("number", mostly_slow(["one", None, 0]))
def test_a_format_that_is_no_number_is_damage(saved, number):
    rewrite(saved, skmerc={"format": number})
    with pytest.raises(ValueError, match="is damaged"):
        load_model(saved)


def test_another_version_is_warned_of_and_a_patch_is_not(saved):
    rewrite(saved, skmerc={"skmerc": "0.9.3"})
    with pytest.warns(OtherVersionWarning, match=r"written by skmerc 0\.9\.3"):
        load_model(saved)
    rewrite(saved, skmerc={"skmerc": "0.1.77"})
    load_model(saved)


def test_parts_that_do_not_fit_are_told_with_all_versions(saved):
    from safetensors.numpy import save

    rewrite(saved, weights=save({"0.net_.x": np.ones(2)}), skmerc={"torch": "1.2.3"})
    with pytest.raises(ValueError, match=r"cannot be loaded.*torch 1\.2\.3.*here are"):
        load_model(saved)
    rewrite(saved, weights=b"nothing")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_model(saved)


@pytest.mark.parametrize(
    ("model", "reason"),
    mostly_slow(
        [
            (FunctionTransformer(lambda X: X), "lambda"),
            (CBERLClassifier(class_weight={True: 2.0, False: 1.0}), "True or False"),
            (CBERLClassifier(class_weight={np.True_: 2.0}), "True or False"),
            (CBERLClassifier(modalities={("text",): [0]}), "keys must be str"),
            (CBERLClassifier(random_state=threading.Lock()), "cannot be saved"),
        ]
    ),
)
def test_what_cannot_be_told_is_refused_and_the_old_file_stays(saved, model, reason):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match=rf"cannot be saved.*{reason}|{reason}"):
        save_model(model, saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (FunctionTransformer(lambda X: X), "with func=<function"),
        (CBERLClassifier(class_weight={True: 2.0}), r"with class_weight=\{True"),
        (CBERLClassifier(modalities={"a": threading.Lock()}), r"with modalities=\{"),
        (
            make_pipeline(
                FunctionTransformer(), FunctionTransformer(lambda X: X), DJVAEFuser()
            ),
            "with functiontransformer-2__func=<function",
        ),
    ],
)
def test_the_parameter_that_cannot_be_told_is_named(model, named, tmp_path):
    with pytest.raises(ValueError, match=f"cannot be saved {named}"):
        save_model(model, tmp_path / "model")


@pytest.mark.parametrize("thing", [CBERLClassifier, {"model": CBERLClassifier()}, None])
def test_only_estimators_are_saved(path, thing):
    with pytest.raises(TypeError, match="is no estimator"):
        save_model(thing, path)


def test_a_write_that_fails_leaves_the_old_file(saved, monkeypatch):
    def fail(*paths):
        raise OSError("the disk is full")

    before = saved.read_bytes()
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="full"):
        save_model(CBERLClassifier(), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]
    with pytest.raises(FileNotFoundError, match=r"No such folder: .*nowhere'$"):
        save_model(CBERLClassifier(), saved.parent / "nowhere" / "model")


@pytest.mark.parametrize("package", mostly_slow(["skops", "safetensors"]))
def test_a_missing_package_is_told_with_how_to_get_it(saved, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for function in (load_model, lambda path: save_model(CBERLClassifier(), path)):
        with pytest.raises(ImportError, match=r"pip install 'skmerc\[persistence\]'"):
            function(saved)


def change_schema(path, change):
    """Change the schema of a saved model in place; `change` gets each node."""
    with ZipFile(path) as file:
        inside = ZipFile(io.BytesIO(file.read("structure.skops")))
    members = {name: inside.read(name) for name in inside.namelist()}
    schema = json.loads(members["schema.json"])
    for found in nodes(schema):
        change(found)
    members["schema.json"] = json.dumps(schema)
    content = io.BytesIO()
    with ZipFile(content, "w") as file:
        for name, member in members.items():
            file.writestr(name, member)
    rewrite(path, structure=content.getvalue())


def setting(name, value):
    """A change of the settings of the net."""

    def change(found):
        if found["__class__"] == "StoredNet":
            settings = found["content"]["content"]["settings"]
            if name not in settings["content"]:
                types = settings["key_types"]["content"]
                types.append(node("TypeNode", "builtins", "str"))
            settings["content"][name] = text(value)

    return change


@pytest.mark.parametrize(
    ("name", "value"),
    mostly_slow(
        [
            ("module__lstm_layers", 10**7),
            ("module__graph_layers", 10**9),
            ("module__hidden_size", 9000),
            ("module__hidden_size", 10**12),
            ("module__n_outputs", 9999),
            ("iterator_train__passed", 10**15),
        ]
    ),
)
def test_networks_that_no_saved_tensor_supports_are_refused(saved, name, value):
    change_schema(saved, setting(name, value))
    with pytest.raises(ValueError, match=r"cannot be loaded.*claims"):
        load_model(saved)


@pytest.mark.parametrize("part", mostly_slow(["module", "criterion", "optimizer"]))
def test_the_parts_of_a_net_are_of_their_kinds(saved, part):
    def change(found):
        if found["__class__"] == "StoredNet":
            settings = found["content"]["content"]["settings"]["content"]
            settings[part] = node("TypeNode", "builtins", "print")

    change_schema(saved, change)
    with pytest.raises(ValueError, match=f"the {part} of a net is <built-in function"):
        load_model(saved)


def test_a_tensor_is_used_once(saved):
    def change(found):
        if found["__class__"] == "StoredTensor":
            name = found["content"]["content"]["name"]
            name["content"] = json.dumps("0.net_.module_.norm.weight")

    change_schema(saved, change)
    with pytest.raises(ValueError, match="is no tensor, or in two places"):
        load_model(saved)


PRINT = ("builtins", "print")
MISUSED = {
    "a list": node("ListNode", *PRINT, content=[text("printed")]),
    "a set": node("SetNode", *PRINT, content=[text("printed")]),
    "a dict": a_dict({}) | {"__class__": "print"},
    "a key": a_dict({"printed": text(1)}, key=PRINT),
    "a call": call(*PRINT, "printed"),
    "an object": node("ObjectNode", *PRINT, content=a_dict({})),
    "a number": node("NdArrayNode", *PRINT, type="numpy", file="0.npy"),
    "a call of a class": call("skmerc.recognition._cberl", "CBERLClassifier", "a"),
    "a network": node("ObjectNode", "skmerc.nn.vae", "JointVAE", content=a_dict({})),
    "a call of a function": call("skmerc.frame", "drop_keys", "a"),
}


def estimator(**attributes):
    return node(
        "ObjectNode",
        "sklearn.linear_model._logistic",
        "LogisticRegression",
        content=a_dict(attributes),
    )


@pytest.mark.parametrize("misuse", MISUSED)
def test_a_known_name_is_used_for_its_purpose_only(path, misuse, capsys):
    save_model(LogisticRegression(), path)
    structure = structure_of(estimator(C=MISUSED[misuse]))
    with ZipFile(io.BytesIO(structure)) as file:
        schema = file.read("schema.json")
    content, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.ones(2))
    with ZipFile(content, "w") as file:
        file.writestr("schema.json", schema)
        file.writestr("0.npy", array.getvalue())
    rewrite(path, structure=content.getvalue())
    with pytest.raises(ValueError, match="it uses|a key of|uses builtins"):
        load_model(path)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "thing",
    [
        text(7),
        node("ListNode", "builtins", "list", content=[text(7)]),
        node("TypeNode", "builtins", "int"),
        node("TypeNode", "skmerc.recognition._cberl", "CBERLClassifier"),
        node("ObjectNode", "skmerc._training._stored", "StoredTensor"),
    ],
    ids=["number", "list", "type", "class", "tensor"],
)
def test_nothing_but_an_estimator_is_loaded(path, thing):
    save_model(LogisticRegression(), path)
    rewrite(path, structure=structure_of(thing))
    with pytest.raises(ValueError, match="and no estimator"):
        load_model(path)


def a_tuple(number, *content):
    inside = [{"__id__": n} if isinstance(n, int) else n for n in content]
    return node("TupleNode", "builtins", "tuple", content=inside, __id__=number)


def a_set(*content):
    return node("SetNode", "builtins", "set", content=[*content])


def nested(depth):
    first = a_tuple(1, text("a"))
    return [first] + [a_tuple(n + 1, n, n) for n in range(1, depth)]


SHARED = {
    "elements of a set": estimator(C=a_set(*nested(45))),
    "keys that were": estimator(
        C=node("ListNode", "builtins", "list", content=nested(45))
    ),
    "a list in itself": estimator(
        C=node("ListNode", "builtins", "list", content=[{"__id__": 9}], __id__=9)
    ),
    "a reference": estimator(
        C=a_tuple(5), tol=node("CachedNode", "builtins", "tuple", __id__=5)
    ),
    "two objects of one number": estimator(C=a_tuple(5), tol=a_tuple(5, text("a"))),
}


@pytest.mark.parametrize("structure", SHARED)
def test_objects_are_written_in_full_wherever_they_stand(path, structure):
    save_model(LogisticRegression(), path)
    rewrite(path, structure=structure_of(SHARED[structure]))
    with pytest.raises(ValueError, match="stands in two places, and differs"):
        load_model(path)


def test_objects_that_are_shared_come_back_as_one(path):
    shared = np.arange(3)
    model = FunctionTransformer(kw_args={"a": shared, "b": [shared, (1, ())]})
    save_model(model, path)
    found = load_model(path).kw_args
    assert found["a"] is found["b"][0]


@pytest.mark.parametrize(
    "name", mostly_slow(["skmerc.json", "structure.skops", "weights"])
)
def test_packed_members_are_refused(saved, name):
    with ZipFile(saved) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with ZipFile(saved, "w") as file:
        for member, content in members.items():
            packed = member.startswith(name)
            content = content + b" " * 10**6 if packed else content
            kind = ZIP_DEFLATED if packed else ZIP_STORED
            file.writestr(member, content, compress_type=kind)
    with pytest.raises(ValueError, match="is packed, which save_model never does"):
        load_model(saved)


def test_members_that_nobody_needs_are_not_read(saved):
    with ZipFile(saved, "a") as file:
        file.writestr("more", b"\0" * 10**6, compress_type=ZIP_DEFLATED)
        file.getinfo("more").CRC = 1
    assert load_model(saved).net_ is not None


def test_arrays_that_claim_more_than_their_file_are_refused(path):
    save_model(FunctionTransformer(kw_args={"a": np.arange(5)}), path)
    content = path.read_bytes()
    assert content.count(b"(5,)") == 1
    with ZipFile(path) as file:
        structure = file.read("structure.skops")
    with ZipFile(io.BytesIO(structure)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    changed = io.BytesIO()
    with ZipFile(changed, "w") as file:
        for name, member in members.items():
            file.writestr(
                name, member.replace(b"(5,), }" + b" " * 9, b"(5000000000,), }")
            )
    rewrite(path, structure=changed.getvalue())
    with pytest.raises(ValueError, match=r"claims to be int64 of shape \(5000"):
        load_model(path)


def test_random_numbers_with_a_huge_pool_are_refused(path):
    save_model(FunctionTransformer(kw_args={"a": np.random.default_rng(0)}), path)

    def change(found):
        if found["__loader__"] == "RandomGeneratorNode":
            pool = found["content"]["seed_seq"]["content"]["pool_size"]
            pool["content"] = "1000000000"

    load_model(path)
    change_schema(path, change)
    with pytest.raises(ValueError, match="a pool of 1000000000 random words"):
        load_model(path)


def test_what_is_no_file_is_told_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink(tmp_path / "nothing", tmp_path / "link")
    with pytest.raises(ValueError, match="pipe is a named pipe and no file"):
        load_model(tmp_path / "pipe")
    with pytest.raises(ValueError, match="/dev/zero is a device and no file"):
        load_model("/dev/zero")
    with pytest.raises(FileNotFoundError, match=r"it is a link to .*nothing"):
        load_model(tmp_path / "link")
