"""Hostile files, made at random from a seed, and a process that tries to read them.

A file begins as a good one, which is then cut, changed or forged; or it is made to ask
for more than it holds; or it is no file at all.
"""

import gzip
import io
import json
import multiprocessing
import os
import pickle
import random
import resource
import struct
import tempfile
import traceback
import zipfile
from pathlib import Path

MEMORY = 2 * 2**30
"""Bytes that a reader may take beside what is there when everything is imported."""

SECONDS = 60

READERS = (
    "load_table.npz", "load_table.csv", "load_table.csv.gz", "load_table.parquet",
    "iter_table", "iter_table.csv", "load_meld", "load_meld.csv", "load_emorynlp",
    "load_emorynlp.csv",
    "load_dailydialog", "load_dailydialog.txt", "load_iemocap", "load_iemocap.txt",
    "load_iemocap.npy", "load_iemocap.joblib", "load_mosei", "load_mosei.padded",
    "load_mosi", "load_mosi.csv", "load_subtitles", "load_subtitles.vtt",
    "load_segments", "load_segments.rttm", "load_messages", "load_messages.tree",
    "load_slack",
    "load_whatsapp", "load_telegram", "load_convokit",
    "read_pickle.torch", "to_frame", "to_frame.csv", "to_frame.parquet", "load_model",
)  # fmt: skip


def make(reader, seed, folder):
    """Write the files of one case; return the path to read, and what was done."""
    rng = random.Random(f"{reader} {seed}")
    path, target = _GOOD[reader](Path(folder), rng)
    harm = rng.choice(_HARMS + _FORGERIES.get(target.suffix, ()))
    harm(target, rng)
    return path, harm.__name__


def read(reader, path):
    """Read a file as users do, to its end."""
    from skmerc import datasets
    from skmerc.datasets.formats.pickles._unpickle import read_pickle

    name = reader.partition(".")[0]
    if name == "load_model":
        from skmerc.persistence import load_model

        return load_model(path)
    if name == "read_pickle":
        return read_pickle(path)
    if name == "iter_table":
        return sum(len(X) for X, _ in datasets.iter_table(path))
    if reader == "load_iemocap.npy":
        features = {"voice": path.parent / "voice"}
        return datasets.load_iemocap(path, features=features)
    if reader in ("load_dailydialog", "load_emorynlp"):
        from skmerc.datasets.corpora import _dailydialog, _emorynlp

        daily = [*_dailydialog.CLASSES["emotion"]]
        names = daily if reader == "load_dailydialog" else [*_emorynlp.EMOTIONS]
        return getattr(datasets, name)(path, class_names=names)
    if reader == "load_segments.rttm":
        files = path / "call.json", path / "call.rttm"
        return datasets.load_segments(files[0], diarization=files[1])
    if reader in ("load_mosei.padded", "load_mosi.csv"):
        return getattr(datasets, name)(path, label="polarity")
    return getattr(datasets, name)(path)


# What is good, as each reader knows it.


def _conversations():
    from skmerc.datasets import make_conversations

    X, y = make_conversations(6, random_state=0)
    return X.assign(label=y)


def _npz(folder, rng):
    import numpy as np

    X = _conversations()
    text = X.filter(like="text__").to_numpy()
    arrays = {"dialogue": X["dialogue__id"].to_numpy(str), "text": text}
    save = rng.choice([np.savez, np.savez_compressed])
    save(folder / "a.npz", label=X["label"].to_numpy(str), **arrays)
    return folder / "a.npz", folder / "a.npz"


def _csv(folder, rng):
    _conversations().to_csv(folder / "a.csv", index=False)
    return folder / "a.csv", folder / "a.csv"


def _gz(folder, rng):
    _conversations().to_csv(folder / "a.csv.gz", index=False)
    return folder / "a.csv.gz", folder / "a.csv.gz"


def _parquet(folder, rng):
    compression = rng.choice(["snappy", "gzip", None])
    _conversations().to_parquet(folder / "a.parquet", compression=compression)
    return folder / "a.parquet", folder / "a.parquet"


def _members(layout, n=3):
    import numpy as np

    given = {"text": np.ones((2, 3), "f4"), "audio": [[1.0], [2.0]]}
    given |= {"speakers": [[1, 0], [0, 1]], "labels": [0, 1], "sentiments": [0, 1]}
    given |= {"sentences": ["Hi.", "What?"], "visual": [np.ones(2), np.ones(2)]}
    given |= {"acts": [1, 2], "_": [0, 0]}
    keys = range(n)
    parts = {"train": list(keys), "test": [], "dev": []}
    names = layout.split()
    return [parts.get(k, {key: given.get(k) for key in keys}) for k in names]


def _pickled(content, name):
    def make(folder, rng):
        path = folder / name
        path.write_bytes(pickle.dumps(content(), rng.choice([2, 4, 5])))
        return path, path

    return make


def _meld():
    return _members("speakers labels sentiments text text audio text sentences "
                    "train test dev")  # fmt: skip


def _cosmic():
    return _members("speakers labels text text text text sentences train test dev")


def _iemocap(name="Ses01F_impro01"):
    ids, speakers = [f"{name}_F000", f"{name}_M000"], ["F", "M"]
    text = [[0.5, 1.0], [1.0, 2.0]]
    rows = ids, speakers, [2, 5], text, text, text, ["Excuse me.", "Yes?"]
    return [*({name: row} for row in rows), [name], []]


def _mosei():
    import numpy as np

    part = {"id": ["v1$_$0", "v1$_$1"], "raw_text": ["no", "fine"]}
    part |= {"audio": np.ones((2, 3, 1)), "audio_lengths": [2, 1]}
    return {"train": part | {"regression_labels": np.array([-1.6, 0.3])}}


def _padded():
    import numpy as np

    part = [np.ones((2, 3, 4)), np.zeros((2, 3)), np.ones((2, 3, 4)), np.zeros((2, 3))]
    return [*part, 0, np.array([2, 3]), np.array([1, 2])]


def _mosi():
    ids = {"v1": ["v1_1", "v1_2"], "v2": ["v2_1"]}
    scores = {"v1": [2.4, -0.8], "v2": [0.0]}
    said = {"v1": ["I LOVED IT", "BUT"], "v2": ["WELL"]}
    return [ids, scores, said, said, {"v1"}, set(), {"v2"}]


def _mosi_csv(folder, rng):
    (folder / "transcripts.csv").write_text("v1_1,good,0,1\nv2_1,bad,1,0\n")
    (folder / "text_train.csv").write_text("0\n")
    (folder / "text_test.csv").write_text("1\n")
    (folder / "text").mkdir()
    (folder / "text" / "text_train0.csv").write_text("0.5,1.5,1\n")
    (folder / "text" / "text_test0.csv").write_text("0.5,1.5,0\n")
    return folder, rng.choice(sorted(folder.rglob("*.csv")))


def _annotations(name, header, row):
    def make(folder, rng):
        rows = [row.format(number) for number in range(5)]
        (folder / name).write_text("\n".join([header, *rows]))
        return folder, folder / name

    return make


_meld_csv = _annotations(
    "dev_sent_emo.csv",
    "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime",
    'Guess what!,Ann,joy,positive,0,{},1,2,"00:00:01,000","00:00:02,500"',
)
_emory_csv = _annotations(
    "emorynlp_dev_final.csv",
    "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,"
    "End_Time",
    "Tea.,['Ann Lee'],Neutral,4,{},1,15,00:00:03.795,00:00:05.004",
)


def _daily_txt(folder, rng):
    (folder / "test").mkdir()
    texts = folder / "test" / "dialogues_test.txt"
    texts.write_text("Good news ! __eou__ What is it ? __eou__\n" * 3)
    codes = folder / "test" / "dialogues_emotion_test.txt"
    codes.write_text("4 0 \n" * 3)
    return folder, rng.choice([texts, codes])


def _iemocap_txt(folder, rng):
    for number in range(1, 6):
        dialog = folder / f"Session{number}" / "dialog"
        name = f"Ses0{number}F_impro01"
        for kind, line in (
            ("EmoEvaluation", f"[1.0 - 2.0]\t{name}_F000\tneu\t[2.5, 2.5, 2.5]\n"),
            ("transcriptions", f"{name}_F000 [1.0-2.0]: Excuse me.\n"),
        ):
            (dialog / kind).mkdir(parents=True)
            (dialog / kind / f"{name}.txt").write_text(line)
    return folder, rng.choice(sorted(folder.rglob("*.txt")))


def _iemocap_npy(folder, rng):
    import numpy as np

    path, _ = _pickled(_iemocap, "a.pkl")(folder, rng)
    (folder / "voice").mkdir()
    for name in ("Ses01F_impro01_F000", "Ses01F_impro01_M000"):
        np.save(folder / "voice" / f"{name}.npy", np.ones((4, 3), "f4"))
    return path, rng.choice(sorted(folder.rglob("*.npy")))


def _joblib(folder, rng):
    import joblib
    import numpy as np

    name, kinds = "Ses01F_impro01", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)]
    text = {name: np.ones((2, 3))}
    rows = _iemocap(name)
    joblib.dump([*rows[:3], text, *rows[4:]], folder / "a.pkl", rng.choice(kinds))
    return folder / "a.pkl", folder / "a.pkl"


def _torch(folder, rng):
    import torch

    x = torch.arange(12.0).reshape(3, 4)
    zipped = rng.random() < 0.5
    thing = {"a": x, "b": [x.T, ("Ross", 1)]}
    torch.save(thing, folder / "a.pt", _use_new_zipfile_serialization=zipped)
    return folder / "a.pt", folder / "a.pt"


def _jsonl(folder, rng):
    said = {"dialogue": "a", "text": "Hm.", "label": "x", "speaker": "Ann", "turn": 1}
    lines = [json.dumps(said | {"turn": number}) for number in range(5)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return folder / "a.jsonl", folder / "a.jsonl"


def _written(name, text):
    def make(folder, rng):
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name, folder / name

    return make


_srt = _written(
    "call.srt",
    "".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\n- <i>ANNA: Hm &amp; so.</i>\n- Ja\n\n"
        for n in range(1, 6)
    ),
)
_vtt = _written(
    "call.vtt",
    "WEBVTT - a call\n\nNOTE by hand\n\n"
    + "".join(
        f"c{n}\n00:0{n}.000 --> 00:0{n}.500 align:start\n<v.loud Anna>Hm &lt;3</v>\n\n"
        for n in range(1, 6)
    ),
)


def _segments(folder, rng):
    words = [{"word": "Hm", "start": 0.0, "end": 0.4, "speaker": "A"}, {"word": "so."}]
    segments = [{"start": 0.0, "end": 1.5, "text": " Hm so.", "words": words}] * 3
    content = {"language": "en", "segments": segments}
    (folder / "call.json").write_text(json.dumps(content))
    return folder / "call.json", folder / "call.json"


def _rttm(folder, rng):
    _segments(folder, rng)
    line = "SPEAKER call 1 {}.0 0.75 <NA> <NA> Anna <NA> <NA>\n"
    (folder / "call.rttm").write_text("".join(line.format(n) for n in range(5)))
    return folder, folder / "call.rttm"


def _messages(folder, rng):
    said = [{"role": "user", "content": "Hm."}]
    said += [{"role": "assistant", "content": [{"type": "text", "text": "So?"}]}]
    lines = [json.dumps({"id": f"c{n}", "messages": said}) for n in range(4)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return folder / "a.jsonl", folder / "a.jsonl"


def _tree(folder, rng):
    said = {"content_type": "text", "parts": ["Hm."]}
    mapping = {
        str(n): {
            "parent": str(n - 1) if n else None,
            "message": {"author": {"role": "user"}, "content": said},
        }
        for n in range(4)
    }
    content = [{"id": str(n), "current_node": "3", "mapping": mapping} for n in "ab"]
    (folder / "conversations.json").write_text(json.dumps(content))
    return folder / "conversations.json", folder / "conversations.json"


def _slack(folder, rng):
    (folder / "general").mkdir()
    users = [{"id": "U1", "profile": {"display_name": "anna"}}, {"id": "U2"}]
    (folder / "users.json").write_text(json.dumps(users))
    said = {"type": "message", "user": "U1", "text": "Hm, <@U2> <https://a|b>?"}
    said = [said | {"ts": f"{n}.000100", "thread_ts": "1.000100"} for n in range(4)]
    (folder / "general" / "1970-01-01.json").write_text(json.dumps(said))
    return folder, rng.choice(sorted(folder.rglob("*.json")))


_whatsapp = _written(
    "chat.txt",
    "".join(f"12/31/23, 9:1{n}\u202fPM - Anna: Hm.\nSo?\n" for n in range(5)),
)


def _telegram(folder, rng):
    text = ["Hm, ", {"type": "bold", "text": "so"}]
    said = {"type": "message", "from": "Anna", "text": text, "date_unixtime": "10"}
    content = {"name": "Ben", "type": "personal_chat", "id": 7, "messages": [said] * 3}
    (folder / "result.json").write_text(json.dumps(content))
    return folder / "result.json", folder / "result.json"


def _convokit(folder, rng):
    said = {"speaker": "u0", "conversation_id": "1", "text": "Hm.", "meta": {"a": 1}}
    said |= {"timestamp": None}
    lines = [
        json.dumps(said | {"id": f"{n}", "reply_to": f"{n - 1}" if n > 1 else None})
        for n in range(1, 6)
    ]
    (folder / "utterances.jsonl").write_text("\n".join(lines))
    return folder, folder / "utterances.jsonl"


def _said():
    import pandas as pd

    times = [f"04/03/2026 20:1{number}" for number in range(5)]
    said = {"text": "Hm, well, it is so.", "label": "x", "speaker": "Ann"}
    return pd.DataFrame(said | {"dialogue": "a", "timestamp": times})


def _said_csv(folder, rng):
    _said().to_csv(folder / "a.csv", index=False)
    return folder / "a.csv", folder / "a.csv"


def _said_parquet(folder, rng):
    _said().to_parquet(folder / "a.parquet")
    return folder / "a.parquet", folder / "a.parquet"


_MODEL = None


def _model(folder, rng):
    global _MODEL
    if _MODEL is None:
        from skmerc import CBERLClassifier
        from skmerc.persistence import save_model

        X = _conversations()
        model = CBERLClassifier(hidden_size=4, max_epochs=1, random_state=0)
        save_model(model.fit(X, X.pop("label")), folder / "a.skmerc")
        _MODEL = (folder / "a.skmerc").read_bytes()
    (folder / "a.skmerc").write_bytes(_MODEL)
    return folder / "a.skmerc", folder / "a.skmerc"


_GOOD = {
    "load_table.npz": _npz,
    "load_table.csv": _csv,
    "load_table.csv.gz": _gz,
    "load_table.parquet": _parquet,
    "iter_table": _parquet,
    "iter_table.csv": _csv,
    "load_meld": _pickled(_meld, "a.pkl"),
    "load_meld.csv": _meld_csv,
    "load_emorynlp": _pickled(_cosmic, "a.pkl"),
    "load_emorynlp.csv": _emory_csv,
    "load_dailydialog": _pickled(_cosmic, "a.pkl"),
    "load_dailydialog.txt": _daily_txt,
    "load_iemocap": _pickled(_iemocap, "a.pkl"),
    "load_iemocap.txt": _iemocap_txt,
    "load_iemocap.npy": _iemocap_npy,
    "load_iemocap.joblib": _joblib,
    "load_mosei": _pickled(_mosei, "a.pkl"),
    "load_mosei.padded": _pickled(_padded, "text.pkl"),
    "load_mosi": _pickled(_mosi, "a.pkl"),
    "load_mosi.csv": _mosi_csv,
    "load_subtitles": _srt,
    "load_subtitles.vtt": _vtt,
    "load_segments": _segments,
    "load_segments.rttm": _rttm,
    "load_messages": _messages,
    "load_messages.tree": _tree,
    "load_slack": _slack,
    "load_whatsapp": _whatsapp,
    "load_telegram": _telegram,
    "load_convokit": _convokit,
    "read_pickle.torch": _torch,
    "to_frame": _jsonl,
    "to_frame.csv": _said_csv,
    "to_frame.parquet": _said_parquet,
    "load_model": _model,
}


# What is done to any file.


def cut(path, rng):
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def flip(path, rng):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 5, 50])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def flip_an_end(path, rng):
    data = bytearray(path.read_bytes())
    at = rng.randrange(min(200, len(data)))
    data[rng.choice([at, -at - 1])] = rng.choice([0, 1, 127, 128, 255])
    path.write_bytes(data)


def move(path, rng):
    data = path.read_bytes()
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    path.write_bytes(rng.choice([data[:a] + data[b:], data[:b] + data[a:]]))


def write_large_numbers(path, rng):
    data = bytearray(path.read_bytes().ljust(4))
    number = rng.choice([2**31 - 1, 2**32 - 1, 10**9, 2_400_000_000])
    for _ in range(rng.choice([1, 3])):
        struct.pack_into("<I", data, rng.randrange(max(1, len(data) - 4)), number)
    path.write_bytes(data)


def lengthen_digits(path, rng):
    data = path.read_bytes()
    places = [at for at, byte in enumerate(data) if 48 <= byte < 58]
    if places:
        at = rng.choice(places)
        path.write_bytes(data[:at] + b"9" * rng.choice([12, 30, 400]) + data[at:])


def repeat(path, rng):
    data = path.read_bytes()
    at = rng.randrange(len(data))
    end = at + rng.randrange(1, 40)
    path.write_bytes(data[:end] + data[at:end] * rng.choice([100, 10_000]) + data[end:])


def become_no_file(path, rng):
    path.unlink()
    make = rng.choice([
        os.mkfifo,
        os.mkdir,
        lambda path: os.symlink(path.with_name("nothing"), path),
        lambda path: os.symlink("/dev/zero", path),
        lambda path: os.symlink(path, path),
        lambda path: path.touch(),
    ])  # fmt: skip
    make(path)


_HARMS = (
    cut, flip, flip, flip_an_end, move, write_large_numbers, lengthen_digits, repeat,
    become_no_file,
)  # fmt: skip


# What only files of one kind can be made to do.


def _nested(rng, depth=45):
    opcode = rng.choice([b"2\x86", b"2]\x8c\x01aa\x942\x86"])
    return rng.choice([b"K\x01", b"C\x01a", b"G?\xf0\0\0\0\0\0\0"]) + opcode * depth


def nest_shared(path, rng):
    part = _nested(rng)
    around = rng.choice([
        lambda part: part,
        lambda part: b"\x8f(" + part + b"\x90",
        lambda part: b"(" + part + b"\x91",
        lambda part: b"}" + part + b"K\x01s",
        lambda part: b"(" + part + b"K\x01d",
        lambda part: b"cbuiltins\nset\n](" + part + b"e\x85R",
        lambda part: b"cpandas\nSeries\n)\x81}(\x8c\x05_name" + part + b"ub",
    ])  # fmt: skip
    _put(path, rng, around(part))


def claim_bytes(path, rng):
    n = rng.choice([2_400_000_000, 2**31 - 1, 2**40])
    opcode = rng.choice([b"\x96", b"\x8e", b"\x8d", b"\x95"]) + struct.pack("<Q", n)
    four = rng.choice([b"\x8b", b"X", b"B", b"T"]) + struct.pack("<I", n % 2**31)
    _put(path, rng, rng.choice([opcode, four]))


def claim_range(path, rng):
    step = rng.choice([1, -1, 10**20])
    things = [range(10**9), range(0, 10**30, step), [range(10**9)] * 2]
    _put(path, rng, pickle.dumps(rng.choice(things), 4)[2:-1])


def make_many(path, rng):
    opcode = rng.choice([b"\x8f", b"]", b"}", b"(", b")", b"h\0h\1R", b"N"])
    _put(path, rng, b"ccollections\ndeque\n\x94)\x94(" + opcode * 10**6 + b"l")


def nest_deeply(path, rng):
    depth = rng.choice([100, 10**5])
    _put(path, rng, rng.choice([b"]", b"N"]) + b"\x85" * depth)


def expand_tensor(path, rng):
    import torch

    thing = {"a": torch.zeros(1).expand(rng.choice([7 * 10**8, 10**12]))}
    torch.save(thing, path, _use_new_zipfile_serialization=rng.random() < 0.5)


def _put(path, rng, opcodes):
    """Put a part of a pickle in the place of a value of the file, or of all of it."""
    data = path.read_bytes()
    if data.startswith(b"PK"):
        _replace_member(path, rng, b"\x80\x04" + opcodes + b".", ".pkl")
        return
    found = [at for at in range(len(data)) if data[at] in b"N]K"]
    if found and rng.random() < 0.5:
        at = rng.choice(found)
        path.write_bytes(data[:at] + opcodes + data[at + 1 + (data[at] == 75) :])
    else:
        path.write_bytes(b"\x80\x04](" + opcodes + b"e" * 3 + b".")


def _replace_member(path, rng, content, ending=""):
    """Rewrite a zip archive with other content of a member, and perhaps packed."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    chosen = rng.choice([n for n in members if n.endswith(ending)] or [*members])
    method = rng.choice([0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, 14])
    with zipfile.ZipFile(path, "w") as file:
        for name, member in members.items():
            mine = content(member) if callable(content) else content
            file.writestr(name, mine if name == chosen else member, method)


def bomb_member(path, rng):
    _replace_member(path, rng, b"\0" * rng.choice([10**7, 4 * 10**8]))


def add_member(path, rng):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        name = rng.choice(["README.txt", "label", "more.npy", "a/data.pkl"])
        file.writestr(name, b"\0" * rng.choice([0, 9, 4 * 10**8]))


def forge_head(path, rng):
    shape = rng.choice(
        ["(10**9,)", f"({10**12},)", f"(2, {10**9})", "(-1,)", f"(0, {10**9})"]
    )
    kind = rng.choice(["<f4", "<f8", "<U1", "|O", "<U0", "|S100000000", "<f16"])
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text = rng.choice([text, text[: rng.randrange(len(text))], "(" * 900]).encode()
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"
    if path.suffix == ".npy":
        path.write_bytes(head + b"\0" * 99)
    else:
        _replace_member(path, rng, head + b"\0" * 99, ".npy")


def pack_zeros(path, rng):
    with gzip.open(path, "wb") as file:
        line = rng.choice([b"\n", b"\0", b",", b"1,", b'"'])
        for _ in range(100):
            file.write(line * 2**20)


def equal_rows(path, rng):
    import numpy as np
    import pandas as pd

    n = rng.choice([10**6, 2 * 10**7])
    frame = pd.DataFrame({"t__0": np.zeros(n, "f4")})
    for name in ("label", "dialogue"):
        text = "a" * rng.choice([1, 1, 10_000])
        frame[name] = pd.Categorical.from_codes(np.zeros(n, "i1"), [text])
    frame.to_parquet(path)


def many_columns(path, rng):
    names = [f"a__{number}" for number in range(rng.choice([2000, 50_000]))]
    path.write_text("label," + ",".join(names) + "\nx" + ",1" * len(names) + "\n")


def nest_text(path, rng):
    mark = rng.choice(["[", "(", "-", "{", '{"a":', "not "])
    data = path.read_text()
    path.write_text(data + "\n" + mark * rng.choice([1000, 100_000]))


def flood(path, rng):
    """Write three megabytes of one sign behind a file, or in its place."""
    sign = rng.choice([
        "<", "-->\n", "<v ", "<v\t", "&#", "&#9", "&amp", "[", "- a\n", "A: a\n", "\n",
        "00:00:01,000 --> 00:00:02,000\na\n", "1\n", "{\\", ">>", " ", "SPEAKER a 1 ",
        "1/1/20, 1:10 - a: b\n", "\u200e", ":", '"', "{}", "1,", '{"role": "a"}\n',
    ])  # fmt: skip
    data = path.read_text() if rng.random() < 0.7 else ""
    path.write_text(data + sign * (3 * 2**20 // len(sign)))


def flood_json(path, rng):
    """Repeat a part of a file of JSON, or blow it up, so that it is JSON still."""
    content = json.loads(path.read_text())
    nodes = [content]
    for part in nodes:
        inner = part.values() if isinstance(part, dict) else part
        nodes += [x for x in inner if isinstance(x, dict | list)]
    part = rng.choice([x for x in nodes if x])
    key = rng.choice([*part]) if isinstance(part, dict) else rng.randrange(len(part))
    mega = rng.choice([10, 1000, 10**5])
    part[key] = rng.choice([
        [part[key]] * min(mega, 5000), [[]] * mega, [{}] * mega, [""] * mega,
        "<@U1> " * mega,
        {str(n): part[key] for n in range(min(mega, 1000))}, 10**4000, -1e308, None,
        "\ud800", {"a": {"b": [True] * mega}},
    ])  # fmt: skip
    path.write_text(json.dumps(content))


def pack(path, rng):
    """Put a zip archive in the place of a file: a good one, or one of zeros."""
    name, data = rng.choice([path.name, "_chat.txt", "result.json"]), path.read_bytes()
    data = rng.choice([data, b"\0" * 10**8, b" " * 10**8, b"[[]," * 10**7, data * 1000])
    path.unlink()
    method = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(path, "w", method) as file:
        for number in range(rng.choice([1, 1, 5])):
            file.writestr("a/" * number + name, data)


def change_setting(path, rng):
    """Change a word or number within the structure of a saved model."""

    def change(content):
        if not content.startswith(b"PK"):
            return content
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            members = {name: file.read(name) for name in file.namelist()}
        nodes = []
        schema = json.loads(members["schema.json"])
        _collect(schema, nodes)
        for _ in range(rng.choice([1, 1, 3])):
            _change_node(rng.choice(nodes), nodes, rng)
        members["schema.json"] = json.dumps(schema).encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for name, member in members.items():
                file.writestr(name, member)
        return buffer.getvalue()

    _rewrite_model(path, change)


def _rewrite_model(path, change):
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, member in members.items():
            file.writestr(name, change(member) if "structure" in name else member)


def _collect(part, nodes):
    if isinstance(part, dict):
        if "__loader__" in part:
            nodes.append(part)
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _collect(inner, nodes)


def _change_node(node, nodes, rng):
    kinds = ["numbers", "class", "loader", "reference", "file"]
    kind = rng.choice(kinds)
    numbers = [n for n in nodes if n.get("__loader__") == "JsonNode"]
    if kind == "numbers" and numbers:
        large = [10**7, 9000, 10**15, 10**400, -1, None, "x", [], "/dev/zero"]
        rng.choice(numbers)["content"] = json.dumps(rng.choice(large))
    elif kind == "class":
        node["__module__"], node["__class__"] = rng.choice([
            ("builtins", "print"), ("builtins", "list"), ("os", "mkdir"),
            ("numpy", "void"), ("skmerc.nn.cberl", "CBERLNetwork"), ("builtins", "int"),
        ])  # fmt: skip
    elif kind == "loader":
        node["__loader__"] = rng.choice(
            ["ListNode", *(n["__loader__"] for n in nodes if "file" in n)]
        )
    elif kind == "reference":
        other = rng.choice(nodes).get("__id__")
        node.clear()
        node["__id__"] = other
    else:
        node["file"] = rng.choice([n["file"] for n in nodes if "file" in n] or ["x"])


_PICKLES = nest_shared, claim_bytes, claim_range, make_many, nest_deeply
_FORGERIES = {
    ".pkl": _PICKLES,
    ".pt": (expand_tensor, expand_tensor, nest_shared, claim_bytes),
    ".npz": (bomb_member, add_member, forge_head, forge_head),
    ".npy": (forge_head, forge_head),
    ".gz": (pack_zeros,),
    ".parquet": (equal_rows,),
    ".csv": (many_columns, nest_text, nest_text),
    ".jsonl": (nest_text, nest_text, flood),
    ".json": (nest_text, flood, flood_json, flood_json, flood_json, pack),
    ".txt": (flood, flood, pack),
    ".srt": (flood, flood, flood),
    ".vtt": (flood, flood, flood),
    ".rttm": (flood, flood),
    ".skmerc": (
        bomb_member,
        add_member,
        change_setting,
        change_setting,
        change_setting,
    ),
}


# The process that reads.


def _serve(pipe, reader):
    """Read files until told otherwise; runs in a process of its own."""
    import warnings

    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path, _ = _GOOD[reader](Path(folder), random.Random(0))
        read(reader, path)  # imports what is imported late
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    for path in iter(pipe.recv, None):
        try:
            read(reader, path)
            pipe.send("read")
        except (ValueError, OSError) as error:
            pipe.send(f"refused: {type(error).__name__}: {error!s:.300}")
        except BaseException:
            pipe.send(f"raised {traceback.format_exc()}")


class Worker:
    """A process that reads one file after another, and is replaced when it is lost."""

    def __init__(self, reader):
        self.reader, self.process = reader, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process is not None:
            self.stop()

    def start(self):
        # One process imports what all of them need, and each is forked from it.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch", "skmerc.datasets", "pandas"])
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.reader))
        self.process.start()
        theirs.close()
        assert self.pipe.recv() == "ready"

    def stop(self):
        self.process.kill()
        self.process.join()
        self.process = None

    def try_to_read(self, path):
        """Return what came of a file: "read", "refused: ...", or what was wrong."""
        if self.process is None:
            self.start()
        self.pipe.send(path)
        try:
            if self.pipe.poll(SECONDS):
                return self.pipe.recv()
            outcome = f"took more than {SECONDS} seconds"
        except EOFError:
            outcome = "ended the process"
        self.stop()
        return outcome
