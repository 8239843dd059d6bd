"""Published pickle attacks: each is refused by name, and nothing of it runs.

They come from the advisories against picklescan, fickling, modelscan and torch.
"""

import copyreg
import io
import os
import pickle
from collections import OrderedDict, defaultdict

import numpy as np
import pandas as pd
import pytest
import torch
from systems import mostly_slow

from skmerc.datasets.formats.pickles._unpickle import read_pickle
from skmerc.exceptions import UnsafePickleError


class Opcodes(bytes):
    """A part of a pickle that leaves one value on the stack."""


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def put(value):
    return value if isinstance(value, Opcodes) else pickle.dumps(value, 2)[2:-1]


def name(dotted):
    module, _, attribute = dotted.rpartition(".")
    return Opcodes(f"c{module}\n{attribute}\n".encode())


def call(function, *args, opcode=b"R"):
    function = name(function) if isinstance(function, str) else function
    return Opcodes(function + b"(" + b"".join(map(put, args)) + b"t" + opcode)


def build(made, state):
    return Opcodes(made + put(state) + b"b")


def program(opcodes):
    return b"\x80\x04" + opcodes + b"."


def creating(canary):
    return f"open({str(canary)!r}, 'w').close()"


def array_of(dtype, shape, data):
    empty = call(
        "numpy.core.multiarray._reconstruct", name("numpy.ndarray"), (0,), b"b"
    )
    state = b"(" + b"".join(map(put, (1, shape, dtype, False, data))) + b"t"
    return build(empty, Opcodes(state))


# Each creates the canary when the standard library unpickles it.
LIVE = {
    "os.system": lambda c: call("os.system", f"touch {c}"),
    "posix.system": lambda c: call("posix.system", f"touch {c}"),
    "subprocess.call": lambda c: call("subprocess.call", ["touch", str(c)]),
    "builtins.eval": lambda c: call("builtins.eval", creating(c)),
    "builtins.exec": lambda c: call("builtins.exec", creating(c)),
    "builtins.getattr": lambda c: call(
        call("builtins.getattr", call("builtins.__import__", "os"), "system"),
        f"touch {c}",
    ),
    "operator.methodcaller": lambda c: call(
        call("operator.methodcaller", "system", f"touch {c}"),
        call("importlib.import_module", "os"),
    ),
    "functools.partial": lambda c: call(
        call("functools.partial", name("os.system"), f"touch {c}")
    ),
    "functools.reduce": lambda c: call(
        "functools.reduce", name("builtins.exec"), [creating(c), {}]
    ),
    "runpy._run_code": lambda c: call("runpy._run_code", creating(c), {}),
    "timeit.timeit": lambda c: call(
        "timeit.timeit", creating(c), "0", name("time.time"), 1
    ),
    "profile.runctx": lambda c: call("profile.runctx", creating(c), {}, {}, os.devnull),
    "pickle.loads": lambda c: call("pickle.loads", pickle.dumps(Evil(c))),
    "_pickle.loads": lambda c: call("_pickle.loads", pickle.dumps(Evil(c))),
    "shutil.copyfile": lambda c: call("shutil.copyfile", os.devnull, str(c)),
    "numpy.testing._private.utils.runstring": lambda c: call(
        "numpy.testing._private.utils.runstring", creating(c), {}
    ),
    "torch.storage._load_from_bytes": lambda c: call(
        "torch.storage._load_from_bytes", pickle.dumps(Evil(c), 2)
    ),
    "torch.jit.unsupported_tensor_ops.execWrapper": lambda c: call(
        "torch.jit.unsupported_tensor_ops.execWrapper", creating(c), {}, {}
    ),
    "torch.utils.collect_env.run": lambda c: call(
        "torch.utils.collect_env.run", f"touch {c}"
    ),
}

NAMES = """
__builtin__.eval __builtin__.file _io.FileIO aiohttp.ClientSession
asyncio.create_subprocess_shell bdb.Bdb builtins.__build_class__ builtins.__import__
builtins.breakpoint builtins.classmethod builtins.compile builtins.delattr
builtins.globals builtins.map builtins.open builtins.print builtins.property
builtins.setattr builtins.super builtins.type builtins.vars cPickle.loads
cProfile.run cProfile.runctx cloudpickle.cloudpickle._make_function
code.InteractiveInterpreter code.interact codecs.open collections.ChainMap
collections.namedtuple commands.getoutput copyreg.__newobj__ copyreg.add_extension
ctypes.CDLL datetime.datetime dill.loads distutils.file_util.write_file
doctest.debug_script ensurepip._run_pip gc.get_objects idlelib.calltip.get_entity
importlib.import_module importlib.util.spec_from_file_location
inspect.getattr_static io.open itertools.starmap joblib.load
joblib.numpy_pickle.NumpyUnpickler linecache.getlines logging.config.listen
marshal.loads multiprocessing.util.spawnv_passfds nt.system numpy.__builtins__
numpy.ctypeslib.load_library numpy.f2py.crackfortran._eval_length
numpy.f2py.crackfortran.getlincoef numpy.f2py.diagnose.run_command numpy.fromfile
numpy.load numpy.ma.core._mareconstruct numpy.matrix numpy.memmap numpy.poly1d
numpy.random._pickle.__bit_generator_ctor numpy.recarray numpy.vectorize
operator.attrgetter operator.itemgetter os.popen os.remove
pandas.core.computation.eval.eval pandas.eval pandas.io.common.get_handle
pandas.io.pickle.read_pickle pandas.read_pickle pathlib.Path pdb.run pip.main
platform.popen pty.spawn pyarrow.lib.UnknownExtensionType pydoc.locate
pydoc.pipepager requests.get shelve.open shutil.rmtree site.execsitecustomize
smtplib.SMTP socket.create_connection ssl.get_server_certificate subprocess.Popen
sys.exit sys.modules tempfile.mkstemp threading.Thread
torch._inductor.codecache.compile_file torch.hub.load torch.load
torch.ops.load_library torch.serialization.load
torch.utils.data.datapipes.utils.decoder.basichandlers types.CodeType
types.FunctionType types.ModuleType urllib.request.urlopen uuid._get_command_stdout
venv.create webbrowser.open yaml.unsafe_load zipimport.zipimporter zoneinfo.ZoneInfo
""".split()

# Protocol 4 looks up the attributes of attributes.
DOTTED = [
    ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
    ("bdb", "Bdb.run"),
    ("builtins", "dict.get"),
    ("code", "InteractiveInterpreter.runcode"),
    ("collections", "OrderedDict.fromkeys"),
    ("collections", "abc.sys.modules"),
    ("idlelib.run", "Executive.runcode"),
    ("lib2to3.pgen2.grammar", "Grammar.loads"),
    ("numpy", "core._internal.sys.modules"),
    ("numpy", "ndarray.tofile"),
    ("numpy", "prod.os.system"),
    ("pandas", "DataFrame.to_pickle"),
    ("profile", "Profile.run"),
    ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"),
    ("torch.utils._config_module", "ConfigModule.load_config"),
    ("trace", "Trace.runctx"),
]


@pytest.fixture
def canary(tmp_path):
    """A path that exists only if an attack has run."""
    return tmp_path / "canary"


@pytest.fixture
def refuse(tmp_path, canary):
    """Assert that a pickle is refused by a name, and that nothing has run."""

    def check(data, named):
        path = tmp_path / "features.pkl"
        path.write_bytes(data)
        with pytest.raises(UnsafePickleError) as caught:
            read_pickle(path)
        assert named in str(caught.value)
        assert str(path) in str(caught.value)
        assert not canary.exists()

    return check


@pytest.mark.parametrize("attack", LIVE)
def test_attack_would_run_in_the_standard_library(attack, canary):
    data = program(LIVE[attack](canary))
    try:
        pickle.loads(data)
    except Exception as error:
        assert canary.exists(), error  # noqa: PT017
    assert canary.exists()


@pytest.mark.parametrize("attack", LIVE)
def test_attack_is_refused_before_it_runs(attack, canary, refuse):
    refuse(program(LIVE[attack](canary)), attack)


@pytest.mark.parametrize("attack", mostly_slow(NAMES))
def test_name_beyond_plain_data_is_refused(attack, refuse):
    refuse(program(name(attack)), attack)


@pytest.mark.parametrize(("module", "attribute"), DOTTED)
def test_dotted_name_is_refused(module, attribute, refuse):
    refuse(
        program(Opcodes(put(module) + put(attribute) + b"\x93")),
        f"{module}.{attribute}",
    )


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "wrap",
    [
        lambda evil: evil,
        lambda evil: [1.0, {"text": (evil,)}],
        lambda evil: OrderedDict(text=evil),
        lambda evil: np.array([None, evil], dtype=object),
        lambda evil: pd.DataFrame({"text": pd.Series([evil], dtype=object)}),
        lambda evil: {evil: "a key"},
    ],
    ids=["alone", "containers", "dict", "object array", "frame", "key"],
)
def test_reduce_is_found_wherever_it_hides(wrap, protocol, canary, refuse):
    refuse(pickle.dumps(wrap(Evil(canary)), protocol), ".system")


def test_factory_of_a_default_dict_is_refused(refuse):
    refuse(pickle.dumps(defaultdict(os.getcwd)), "posix.getcwd")
    refuse(
        program(call("collections.defaultdict", name("builtins.range"))), "defaultdict"
    )


@pytest.mark.parametrize(
    "opcodes",
    [
        b"(Vtouch %s\nios\nsystem\n",
        b"(cos\nsystem\nVtouch %s\no",
        b"cos\nsystem\n(Vtouch %s\nt\x81",
        b"cos\nsystem\n(Vtouch %s\nt}\x92",
    ],
    ids=["INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"],
)
def test_every_opcode_that_calls_is_guarded(opcodes, canary, refuse):
    refuse(program(opcodes % str(canary).encode()), "os.system")


def test_call_with_named_arguments_is_refused(refuse):
    opcodes = name("collections.OrderedDict") + put(()) + put({"a": 1}) + b"\x92"
    refuse(program(opcodes), "collections.OrderedDict' with names")


def test_extension_code_is_refused_even_if_its_class_is_known(refuse):
    copyreg.add_extension("os", "getcwd", 0x70)
    try:
        data = program(Opcodes(b"\x82\x70)R"))
        assert pickle.loads(data) == os.getcwd(), "the class is in copyreg's cache now"
        refuse(data, "extension code")
    finally:
        copyreg.remove_extension("os", "getcwd", 0x70)


@pytest.mark.parametrize("opcodes", [b"Pos.system\n", b"Vos.system\nQ"])
def test_persistent_id_is_refused(opcodes, refuse):
    refuse(program(opcodes), "persistent id")


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (name("numpy.ndarray"), "numpy.ndarray"),
        (name("collections.Counter"), "collections.Counter"),
        (name("pandas.DataFrame"), "pandas.DataFrame"),
        (call("collections.OrderedDict"), "collections.OrderedDict"),
        (Opcodes(b"]"), "builtins.list"),
    ],
)
def test_state_of_what_has_none_is_refused(made, named, refuse):
    refuse(program(build(made, {"update": 1})), named)
    refuse(program(build(made, (None, {"update": 1}))), named)


@pytest.mark.parametrize(
    "attribute", ["__class__", "__setstate__", "__array_interface__", "_typ", "a b", ""]
)
def test_attribute_that_libraries_obey_is_refused(attribute, refuse):
    sample = call("joyful.Sample.Sample", opcode=b"\x81")
    refuse(program(build(sample, {"vid": "a", attribute: 1})), "Record")


def test_object_cannot_be_given_a_second_state(refuse):
    sample = build(call("joyful.Sample.Sample", opcode=b"\x81"), {"vid": "a"})
    refuse(program(build(sample, {"vid": "b"})), "Record")
    state = (1, (0,), np.dtype("i1"), False, b"")
    array = array_of(np.dtype("i1"), (2,), b"ab")
    refuse(program(build(array, state)), "numpy.ndarray")


@pytest.mark.parametrize("manager", [([(1.0, [0])], [[0], [0]]), None])
def test_frame_of_anything_but_arrays_is_refused(manager, refuse):
    frame = call("pandas.DataFrame", opcode=b"\x81")
    refuse(program(build(frame, {"_mgr": manager})), "pandas.DataFrame")


def test_array_of_fewer_objects_than_places_is_refused(refuse):
    # NumPy does not count them: this reads memory that is none of its own.
    dtype = build(call("numpy.dtype", "O8"), (3, "|", None, None, None, -1, -1, 63))
    refuse(program(array_of(dtype, (100_000,), [])), "numpy.ndarray")


@pytest.mark.parametrize("shape", [(3,), (-1,), (2**32, 2**32), (2.0,), 2])
def test_array_that_contradicts_its_shape_is_refused(shape, refuse):
    dtype = build(call("numpy.dtype", "i1"), (3, "|", None, None, None, -1, -1, 0))
    refuse(program(array_of(dtype, shape, b"ab")), "numpy.ndarray")


@pytest.mark.parametrize(
    "state",
    [
        (3, "|", None, ("x",), {"x": (np.dtype("f8"), 0)}, 8, 1, 0),
        (3, "<", None, None, None, 800, -1, 0),
        (3, "<", None, None, None, -1, -1, 63),
        (3, "<", (np.dtype("f8"), (2,)), None, None, -1, -1, 0),
    ],
    ids=["fields", "size", "flags", "subarray"],
)
def test_type_that_lies_about_its_memory_is_refused(state, refuse):
    refuse(program(build(call("numpy.dtype", "f8"), state)), "numpy.dtype")


@pytest.mark.parametrize(
    "opcodes",
    [
        call("_codecs.encode", "x", "rot13"),
        call("_codecs.encode", "x", "utf-8"),
        call("builtins.bytearray", 10**15),
        call("builtins.bytes", 10**15),
        call("builtins.set", call("builtins.range", 0, 10**15, 1)),
        call("builtins.list", "abc"),
        call("collections.Counter", call("builtins.range", 0, 10**15, 1)),
        call("collections.deque", call("builtins.range", 0, 10**15, 1)),
        call(
            "copyreg._reconstructor", name("builtins.list"), name("builtins.list"), []
        ),
        call("joyful.Sample.Sample", "an argument"),
        call("numpy._core.numeric._frombuffer", [1], np.dtype("f8"), (1,), "C"),
        call("numpy.core.multiarray._reconstruct", name("builtins.list"), (0,), b"b"),
        call("numpy.core.multiarray.scalar", call("numpy.dtype", "O8"), b"12345678"),
        call("numpy.core.multiarray.scalar", call("numpy.dtype", "f8"), b"1"),
        call(
            "numpy.core.multiarray.scalar",
            build(
                call("joyful.Sample.Sample", opcode=b"\x81"),
                {"hasobject": False, "itemsize": 0, "type": "called?"},
            ),
            b"",
        ),
        call("numpy.dtype", "i4,O"),
        call("numpy.dtype", {"names": ["x"], "formats": ["O"]}),
        call("numpy.ndarray", (1,)),
        call("pandas._libs.internals._unpickle_block", 1.0, slice(0, 1), 2),
        call("pandas.core.indexes.base._new_Index", name("builtins.list"), {}),
        call("pandas.core.indexes.base._new_Index", name("pandas.Index"), {"copy": 1}),
        call("pandas.StringDtype", "elsewhere", None),
        call("pyarrow.lib.py_buffer", [1]),
        call("torch.storage._load_from_bytes", b"none of torch's numbers"),
    ],
    ids=lambda opcodes: (
        opcodes[1:60].decode("latin-1").split("(")[0].replace("\n", ".")
    ),
)
def test_allowed_name_is_refused_with_other_arguments(opcodes, refuse):
    function = opcodes[1:].split(b"\n(")[0].replace(b"\n", b".").decode()
    refuse(program(opcodes), function)


@pytest.mark.parametrize(
    "opcodes",
    [b"cnumpy\nndarray\nK\x01a", b"X\x01\x00\x00\x00aK\x00K\x01s", b"](K\x01\x90"],
    ids=["append", "set item", "add"],
)
def test_items_are_added_to_containers_only(opcodes, refuse):
    refuse(program(opcodes), "adds items to")


def test_value_that_is_called_is_refused(refuse):
    refuse(program(call(Opcodes(put("os.system")), "ls")), "builtins.str")


def legacy_file(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def test_pickle_within_a_stored_tensor_is_refused(canary, refuse):
    blob = legacy_file(Evil(canary))
    refuse(program(call("torch.storage._load_from_bytes", blob)), "posix.system")


@pytest.mark.parametrize("zipped", [True, False])
def test_file_of_torch_that_holds_code_is_refused(zipped, canary, refuse):
    buffer = io.BytesIO()
    torch.save([Evil(canary)], buffer, _use_new_zipfile_serialization=zipped)
    refuse(buffer.getvalue(), "posix.system")


def test_list_in_the_place_of_stored_numbers_is_refused(refuse):
    blob = legacy_file([1, 2])
    refuse(program(call("torch.storage._load_from_bytes", blob)), "_load_from_bytes")


@pytest.mark.parametrize(
    ("offset", "size", "stride"), [(0, (7,), (1,)), (-1, (2,), (1,)), (5, (2,), (-1,))]
)
def test_tensor_cannot_reach_beyond_its_numbers(offset, size, stride, tmp_path):
    _, (storage, *_) = torch.arange(6.0).__reduce_ex__(2)
    stored = call("torch.storage._load_from_bytes", storage.__reduce__()[1][0])
    tensor = call(
        "torch._utils._rebuild_tensor_v2", stored, offset, size, stride, False, {}
    )
    path = tmp_path / "tensor.pkl"
    path.write_bytes(program(tensor))
    with pytest.raises(ValueError, match="cannot be read as a pickle"):
        read_pickle(path)


@pytest.mark.parametrize("offsets", [[0, 0, 9], [0, 9, 1], [0, -8, 1]])
def test_text_of_a_table_cannot_reach_beyond_its_bytes(offsets, tmp_path):
    buffers = [None, np.array(offsets, dtype="<i8").tobytes(), b"a"]
    texts = call(
        "pyarrow.lib._restore_array", ("large_string", 2, 0, 0, buffers, [], None)
    )
    path = tmp_path / "text.pkl"
    path.write_bytes(program(texts))
    with pytest.raises(ValueError, match="ArrowInvalid"):
        read_pickle(path)


def test_name_in_the_message_cannot_write_to_a_terminal(refuse):
    module = "os\x1b[2J"
    refuse(program(Opcodes(put(module) + put("system") + b"\x93")), r"os\x1b[2J.system")
