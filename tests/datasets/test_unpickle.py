"""Pickled features: what is read, byte for byte, and what each wrong file is told."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from types import ModuleType

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from joblib.numpy_pickle import NumpyArrayWrapper
from systems import mostly_slow

from skmerc.datasets.formats.pickles._makers import Record
from skmerc.datasets.formats.pickles._unpickle import read_pickle
from skmerc.exceptions import UnsafePickleError

PROTOCOLS = pytest.mark.parametrize("protocol", range(6))

# What cPickle of Python 2.7 and NumPy 1.16 wrote: three sentences (UTF-8 in a byte
# string, Unicode, and cp1252 in a byte string), a sample, and a set of a long.
PYTHON_2 = (
    b"\x80\x02]q\x01(U\x06it\xe2\x80\x99sq\x02X\x06\x00\x00\x00it\xe2\x80\x99sq\x03"
    b"U\x04it\x92sq\x04ecjoyful.Sample\nSample\nq\x05)\x81q\x06}q\x07(U\x05audioq\x08"
    b"cnumpy.core.multiarray\n_reconstruct\nq\tcnumpy\nndarray\nq\nK\x00\x85U\x01b\x87R"
    b"q\x0b(K\x01K\x02\x85cnumpy\ndtype\nq\x0cU\x02f4K\x00K\x01\x87Rq\r(K\x03U\x01<NNN"
    b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x00\x00\x00\x00\x80?tb"
    b"U\x03vidq\x0eU\x05Ses01q\x0fubc__builtin__\nset\nq\x10]q\x11\x8a\x01\x07a\x85R"
    b"q\x12\x87q\x13."
)


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "features.pkl"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def reread(write):
    """A function: what becomes of an object that is pickled and read."""

    def reread(thing, protocol=4):
        return read_pickle(write(pickle.dumps(thing, protocol)))

    return reread


@pytest.mark.parametrize(
    "data",
    [
        b"(ijoyful.Sample\nSample\np0\n(dp1\nS'vid'\np2\nS'Ses01'\np3\nsb.",
        b"\x80\x02(cjoyful.Sample\nSample\nq\x00oq\x01}q\x02U\x03vidq\x03U\x05Ses01sb.",
    ],
    ids=["INST", "OBJ"],
)
def test_instances_of_old_classes_of_python_2_are_records(data, write):
    assert read_pickle(write(data)) == Record(vid="Ses01")


class Sample:
    """Stands in for the class that COGMEN and JOYFUL pickle."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def test_python_2_text_is_read_byte_by_byte_and_not_repaired(write):
    sentences, sample, numbers = read_pickle(write(PYTHON_2))
    assert sentences == ["it\xe2\x80\x99s", "it\u2019s", "it\x92s"]
    assert numbers == {7}
    assert (type(sample), sample.vid) == (Record, "Ses01")
    assert sample.audio.dtype == np.float32
    assert sample.audio.tolist() == [0, 1]


@PROTOCOLS
@pytest.mark.parametrize(
    "value",
    [
        {"dia0": [(1, 2.5, None, True)], 3: "na\u00efve", "big": 2**80},
        b"bytes \xff",
        b"",
        bytearray(b"\xff"),
        3 + 2j,
        range(0, 9, 2),
        slice(1, None),
        {1, 2},
        set(),
        frozenset({"a"}),
        OrderedDict(b=1, a=2),
        defaultdict(list, {"a": [1]}),
        defaultdict(int),
        Counter("aab"),
        deque([1, 2], 3),
        np.float32(2.5),
        np.int64(-3),
        np.str_("text"),
        np.str_(""),
        np.bool_(True),
        np.datetime64("2020-01-01"),
    ],
    ids=repr,
)
def test_plain_values_come_back_as_they_were(value, protocol, reread):
    found = reread(value, protocol)
    assert found == value
    assert type(found) is type(value)


@PROTOCOLS
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        np.arange(9, dtype=np.float16)[::-2],
        np.zeros((0, 3)),
        np.array(3.0),
        np.array(["Ross", "Phoebe"]),
        np.array([b"Ross"]),
        np.array([["a", None], [1, [2]]], dtype=object),
        np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
        np.array([True, False]),
        np.arange(3, dtype=">i2"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_as_the_standard_library_reads_them(array, protocol, reread):
    found = reread(array, protocol)
    expected = pickle.loads(pickle.dumps(array, protocol))
    assert (type(found), found.dtype) == (np.ndarray, expected.dtype)
    assert found.flags.writeable == expected.flags.writeable
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("package", [b"numpy.core", b"numpy._core"])
def test_arrays_are_read_under_the_old_and_new_names_of_numpy(package, write):
    data = pickle.dumps([np.arange(3.0), np.float64(2)], 2)
    data = data.replace(b"numpy._core", package).replace(b"numpy.core", package)
    array, number = read_pickle(write(data))
    assert array.tolist() == [0, 1, 2]
    assert number == 2
    assert data.count(package + b".multiarray") == 2


def test_one_object_in_two_places_stays_one(reread):
    array, frame = np.arange(2.0), pd.DataFrame({"a": [1]})
    found = reread([array, array, frame, {"again": frame}, array.dtype, array.dtype])
    assert found[0] is found[1]
    assert found[2] is found[3]["again"]
    assert found[4] == array.dtype


FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [0.5, 1.0], "c": [3, 4]}),
    "text": pd.DataFrame({"a": ["x", None, "y"], "n": [1, 2, 3]}).iloc[1:],
    "objects": pd.DataFrame({"a": pd.Series(["x", [1]], dtype=object)}, index=[5, 5]),
    "float32": pd.DataFrame(np.ones((2, 3), dtype=np.float32)),
    "same names": pd.DataFrame(np.eye(2), columns=["a", "a"]),
    "levels": pd.DataFrame(
        {("a", 1): [1.0, 2.0]},
        index=pd.MultiIndex.from_tuples([(0, "u"), (1, "v")], names=["dia", "utt"]),
    ),
    "times": pd.DataFrame(
        {
            "start": pd.to_datetime(["2020-01-01", None]),
            "n": [1, 2],
            "end": pd.to_datetime(["2020-01-02", "2020-01-03"]),
            "length": pd.to_timedelta([1, 2], unit="s"),
        },
        index=pd.DatetimeIndex(["2020-01-01", "2020-01-05"]),
    ),
    "categories": pd.DataFrame(
        {"emotion": pd.Categorical(["joy", None], categories=["joy"], ordered=True)},
        index=pd.CategoricalIndex(["a", "b"]),
    ),
    "missing": pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "f": pd.array([0.5, None], dtype="Float32"),
            "b": pd.array([True, None], dtype="boolean"),
            "s": pd.array(["x", None], dtype="string[python]"),
        }
    ),
    "no rows": pd.DataFrame({"a": np.zeros(0)}),
    "nothing": pd.DataFrame(),
}


@PROTOCOLS
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_come_back_as_they_were(frame, protocol, reread):
    frame = frame.copy()
    frame.attrs = {"source": "a test"}
    found = reread(frame, protocol)
    pd.testing.assert_frame_equal(found, frame)
    assert found.attrs == frame.attrs


@PROTOCOLS
def test_series_and_indices_come_back_as_they_were(protocol, reread):
    for name, frame in FRAMES.items():
        for column in dict.fromkeys(frame.columns):
            if name != "same names":
                pd.testing.assert_series_equal(
                    reread(frame[column], protocol), frame[column]
                )
        pd.testing.assert_index_equal(reread(frame.index, protocol), frame.index)
    names = pd.Index(["a", "b"], name="speaker")
    pd.testing.assert_index_equal(reread(names, protocol), names)


def test_frame_of_an_older_pandas_is_read_by_its_old_names(write):
    data = pickle.dumps(pd.DataFrame({1: [0.5], 2: [1]}), 2)
    moved = {
        b"cpandas\nDataFrame\n": b"cpandas.core.frame\nDataFrame\n",
        b"cpandas\nRangeIndex\n": b"cpandas.core.indexes.range\nRangeIndex\n",
        b"cpandas\nIndex\n": b"cpandas.core.indexes.base\nIndex\n",
    }
    for new, old in moved.items():
        data = data.replace(new, old)
    assert read_pickle(write(data)).loc[0].tolist() == [0.5, 1]


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3),
        torch.arange(6.0).reshape(2, 3).T,
        torch.arange(10)[2:8:2],
        torch.ones(2, 2, dtype=torch.float16),
        torch.tensor(3.5, dtype=torch.float64),
        torch.zeros(0, 4),
        torch.tensor([True, False]),
        torch.ones(2, requires_grad=True),
    ],
    ids=lambda tensor: f"{tensor.dtype}{tuple(tensor.shape)}{tensor.stride()}",
)
def test_tensors_come_back_as_arrays(tensor, protocol, reread):
    found = reread({"audio": tensor}, protocol)["audio"]
    expected = tensor.detach().numpy()
    assert (type(found), found.dtype) == (np.ndarray, expected.dtype)
    np.testing.assert_array_equal(found, expected)


def test_bfloat16_comes_back_in_the_next_greater_type(reread):
    found = reread(torch.tensor([1.5, 3e38], dtype=torch.bfloat16))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1.5, 3e38], rtol=0.01)


@pytest.mark.parametrize("zipped", [True, False])
def test_file_of_torch_comes_back_with_arrays(zipped, write):
    buffer = io.BytesIO()
    thing = {"text": torch.eye(2).half(), "more": [(torch.arange(3), "Ross")], 1: None}
    torch.save(thing, buffer, _use_new_zipfile_serialization=zipped)
    found = read_pickle(write(buffer.getvalue()))
    assert found["text"].dtype == np.float16
    assert found["text"].tolist() == [[1, 0], [0, 1]]
    (numbers, name), *_ = found["more"]
    assert (type(numbers), numbers.tolist(), name) == (np.ndarray, [0, 1, 2], "Ross")
    assert found[1] is None


@PROTOCOLS
@pytest.mark.parametrize(
    "module", ["cogmen.Sample", "joyful.Sample", "joyful", "cogmen.data", "erc.Sample"]
)
def test_samples_become_records(module, protocol, reread, monkeypatch):
    home = ModuleType(module)
    home.Sample = Sample
    monkeypatch.setattr(Sample, "__module__", module)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], home)
    monkeypatch.setitem(sys.modules, module, home)
    sample = Sample(vid="Ses01", label=[0, 1], text=[np.ones(2)], sentence=["a", "b"])
    found = reread({"train": [sample, sample]}, protocol)["train"]
    assert found[0] is found[1]
    assert type(found[0]) is Record
    assert (found[0].vid, found[0].label) == ("Ses01", [0, 1])
    assert found[0].text[0].tolist() == [1, 1]


def test_sample_of_some_other_package_is_refused(reread):
    with pytest.raises(ValueError, match=r"test_unpickle\.Sample"):
        reread(Sample())


def test_a_class_among_the_data_cannot_be_called(write):
    values = read_pickle(write(b"\x80\x02](cnumpy\nndarray\nc__builtin__\nlist\ne."))
    assert not any(callable(value) for value in values)


@pytest.mark.slow
def test_real_files_read_as_the_standard_library_reads_them(real_data):
    paths = [*real_data.glob("raw/**/*.pkl"), *real_data.glob("raw/**/*.pickle")]
    if not paths:
        pytest.skip("no originals beside the tables")
    for path in paths:
        with path.open("rb") as file:
            expected = pickle.load(file, encoding="latin1")
        found = read_pickle(path)
        if isinstance(expected, torch.Tensor):
            expected = expected.numpy()
        assert type(found) is type(expected)
        np.testing.assert_equal(found, expected)


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


def saved(save, *args, **kwargs):
    buffer = io.BytesIO()
    save(buffer, *args, **kwargs)
    return buffer.getvalue()


FOREIGN = {
    "empty": (b"", "it is empty; download it again"),
    "Git LFS pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "Git LFS pointer .* run `git lfs pull`",
    ),
    "HDF5": (b"\x89HDF\r\n\x1a\n\x00\x00", "HDF5 file, .* read it with h5py"),
    "npy": (saved(np.save, np.ones(2)), "NumPy array; read it with numpy.load"),
    "npz": (saved(np.savez, a=np.ones(2)), "NumPy archive; read it with .*load_table"),
    "parquet": (b"PAR1\x15\x04", "parquet table; read it with .*load_table"),
    "zip": (archive(notes_txt="?"), r"zip archive of notes\.txt; unpack it first"),
    "cut zip": (saved(np.savez, a=np.ones(99))[:200], "first part of a zip archive"),
    "LZ4": (b"\x04\x22\x4d\x18dR", "packed by LZ4, .*compress='zlib'"),
    "Zstandard": (b"\x28\xb5\x2f\xfd\x04\x00\xff", "packed by Zstandard, .*'gzip'"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\x00\x04", "packed by 7-Zip, .*unpack it first"),
    "RAR": (b"Rar!\x1a\x07\x01\x00", "packed by RAR, .*unpack it first"),
    "old joblib": (b"ZF0x8a", "packed by joblib before .*joblib.load"),
    "bzip2": (b"BZh91AY&SY", "packed by bzip2; unpack it first"),
    "web page": (b"\n<!DOCTYPE html>\n<title>Sign in</title>", "a web page and not"),
    "CSV": (
        b"\xef\xbb\xbfSr No.,Utterance\n1,Hi.\n",
        "a text table whose first line is .*Sr No.,Utterance'; read it as CSV",
    ),
    "text": (b"see the readme\n", "begins with b'see the readme"),
    "cut old pickle": (pickle.dumps([1, 2, "x"], 0)[:-3], "a part of something"),
}


@pytest.mark.parametrize(("data", "message"), FOREIGN.values(), ids=FOREIGN)
def test_file_of_another_kind_is_named_with_what_to_do(data, message, write):
    path = write(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_pickle(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickle_cut_anywhere_gives_one_clear_error(protocol, write):
    data = pickle.dumps({"dia0": [np.arange(20.0), "some text"] * 3}, protocol)
    for end in range(2, len(data), 7):
        with pytest.raises(ValueError, match=r"features\.pkl .* truncated, damaged"):
            read_pickle(write(data[:end]))


def test_file_of_torch_that_is_cut_gives_one_clear_error(write):
    data = saved(lambda file: torch.save(torch.ones(500), file))
    with pytest.raises(ValueError, match=r"features\.pkl is no pickle.*first part"):
        read_pickle(write(data[:-300]))


@pytest.mark.parametrize("rest", [b"\n", pickle.dumps([2])])
def test_bytes_behind_the_pickle_are_an_error(rest, write):
    with pytest.raises(ValueError, match="more bytes follow behind the end"):
        read_pickle(write(pickle.dumps([1]) + rest))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_text_that_is_no_characters_is_an_error(protocol, write):
    data = pickle.dumps(np.array(["ab"]), protocol)
    with pytest.raises(ValueError, match="something else than characters"):
        read_pickle(write(data.replace(b"a\0\0\0b\0\0\0", b"a\0\0\0b\0\x11\0")))


def test_missing_file_and_folder_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*features\.pkl"):
        read_pickle(tmp_path / "features.pkl")
    with pytest.raises(IsADirectoryError, match="is a folder; give the file in it"):
        read_pickle(str(tmp_path))


# --- Files of joblib, and packed ones

WAYS = [0, 3, ("zlib", 9), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)]
PACKERS = [gzip.compress, bz2.compress, lzma.compress, zlib.compress]
ARRAYS = {
    "C": np.arange(6.0).reshape(2, 3),
    "Fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(3, dtype=">f4"),
    "text": np.array(["Ross", "é"]),
    "bytes": np.array([b"Ross", b""]),
    "objects": np.array(["a", None, [1]], dtype=object),
    "empty": np.zeros((0, 3)),
    "one": np.array(5),
    "flags": np.array([True, False]),
    "days": np.array(["2020-01-01"], dtype="M8[D]"),
}


def same(found, expected):
    assert (found.dtype.kind, found.shape) == (expected.dtype.kind, expected.shape)
    assert found.tolist() == expected.tolist()


@pytest.fixture
def dump(tmp_path):
    """A function that writes what joblib makes of an object."""

    def dump(thing, **how):
        path = tmp_path / "features.pkl"
        joblib.dump(thing, path, **how)
        return path

    return dump


@pytest.mark.parametrize("compress", WAYS, ids=str)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_joblib_wrote_is_read(dump, compress, protocol):
    told = {**ARRAYS, "list": [ARRAYS["C"], "x", (ARRAYS["text"], 3)]}
    found = read_pickle(dump(told, compress=compress, protocol=protocol))
    assert [*found] == [*told]
    for name, array in ARRAYS.items():
        same(found[name], array)
    same(found["list"][0], ARRAYS["C"])
    same(found["list"][2][0], ARRAYS["text"])
    assert found["list"][1] == "x"


@pytest.mark.parametrize("pack", PACKERS)
def test_packed_pickles_are_read(write, pack):
    assert read_pickle(write(pack(pickle.dumps([1, "x"])))) == [1, "x"]


@pytest.mark.parametrize("compress", WAYS, ids=str)
def test_a_file_of_joblib_that_is_cut_gives_one_clear_error(dump, compress):
    path = dump(ARRAYS, compress=compress)
    data = path.read_bytes()
    for end in range(2, len(data) - 1, 1 + len(data) // 40):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"features\.pkl (cannot|is no pickle)"):
            read_pickle(path)


@pytest.mark.parametrize("pack", PACKERS)
def test_bytes_behind_a_packed_pickle_are_an_error(write, pack):
    with pytest.raises(ValueError, match="more bytes follow"):
        read_pickle(write(pack(pickle.dumps([1]) + b"x")))


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made by a pickle",)


@pytest.mark.parametrize("compress", WAYS, ids=str)
@pytest.mark.parametrize(
    "hide", [lambda x: x, lambda x: np.array([x, 1], dtype=object)]
)
def test_files_of_joblib_run_nothing(dump, tmp_path, monkeypatch, compress, hide):
    monkeypatch.chdir(tmp_path)
    path = dump([ARRAYS["C"], hide(Evil())], compress=compress)
    with pytest.raises(UnsafePickleError, match=r"features\.pkl is refused.*mkdir"):
        read_pickle(path)
    assert not (tmp_path / "made by a pickle").exists()


def test_other_classes_of_arrays_are_refused(dump):
    with pytest.raises(UnsafePickleError, match=r"numpy\.ma"):
        read_pickle(dump(np.ma.array([1.0])))


def forged(**changes):
    """A file of joblib that says something else of its array than it holds."""
    wrapper = NumpyArrayWrapper(np.ndarray, (2,), "C", np.dtype("f8"))
    vars(wrapper).update(changes)
    return pickle.dumps(wrapper, 2)[:-1] + b"\x01\xff" + b"\0" * 16 + b"."


def test_the_forged_file_begins_as_a_good_one(write):
    assert read_pickle(write(forged())).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": (10**9,)},
        {"shape": (10**12, 0)},
        {"shape": (-1,)},
        {"shape": (3,)},
        {"shape": [2]},
        {"shape": (2.0,)},
        {"shape": 2},
        {"dtype": "f8"},
        {"dtype": np.dtype("U100000000")},
        {"dtype": np.dtype(object)},
        {"order": "K"},
        {"subclass": dict},
        {"subclass": "ndarray"},
        {"numpy_array_alignment_bytes": None},
        {"more": 1},
    ],
    ids=str,
)
def test_what_joblib_says_of_an_array_is_held_against_the_file(write, changes):
    with pytest.raises(ValueError, match=r"features\.pkl (cannot be read|is refused)"):
        read_pickle(write(forged(**changes)))


@pytest.mark.parametrize("pack", mostly_slow(PACKERS))
def test_packed_zeros_are_counted(write, pack, monkeypatch):
    monkeypatch.setattr("skmerc.datasets.formats._budget.FLOOR", 2**20)
    n = 5 * 10**6
    start = b"\x80\x05\x8e" + n.to_bytes(8, "little")
    path = write(pack(start + b"\0" * n + b"."))
    with pytest.raises(ValueError, match=r"features\.pkl .* asks for 5e\+06 elements"):
        read_pickle(path)


def test_lzma_takes_no_more_memory_than_it_needs(write):
    data = bytearray(lzma.compress(pickle.dumps([1]), lzma.FORMAT_ALONE))
    data[1:5] = b"\x00\x00\x00\xff"
    data[1:3] = b"\x00\x00"
    with pytest.raises(ValueError, match=r"features\.pkl cannot be .*Memory"):
        read_pickle(write(bytes(data)))
