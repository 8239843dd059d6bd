"""Conversations with assistants, in the format of OpenAI's chat models."""

import json
import zipfile

import pytest

from skmerc.datasets import load_messages

CHAT = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Where is my order?", "name": "Zoë"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
    {"role": "tool", "tool_call_id": "c1", "content": "on its way"},
    {"role": "assistant", "content": "On its way."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "متى؟ 🙃"},
            {"type": "image_url", "image_url": {"url": "data:"}},
            {"type": "input_text", "text": "Look!"},
        ],
    },
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot."}]},
]
SAID = [
    ("Zoë", "Where is my order?"),
    ("assistant", "On its way."),
    ("user", "متى؟ 🙃\nLook!"),
    ("assistant", "I cannot."),
]


@pytest.fixture
def written(tmp_path):
    """A function that writes text into a file, and returns its path."""

    def write(text, name="chat.jsonl"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def lines(*values):
    return "\n".join(map(json.dumps, values))


def spoken(X):
    return list(zip(X["dialogue__speaker"], X["utterance"], strict=True))


@pytest.mark.parametrize("given", [CHAT, {"messages": CHAT, "model": "x"}, [CHAT]])
def test_one_conversation(written, given):
    for source in (given, written(json.dumps(given), "a.json")):
        X, y = load_messages(source)
        assert y is None
        assert spoken(X) == SAID
        assert X["dialogue__turn"].tolist() == [0, 1, 2, 3]
        assert X["dialogue__id"].nunique() == 1


def test_instructions_as_context():
    X, y = load_messages(CHAT, instructions="context")
    assert y is None
    assert X["dialogue__speaker"].tolist() == [
        "system", "Zoë", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert (X["dialogue__role"] == "context").tolist() == [
        True, False, True, False, False, False,
    ]  # fmt: skip


def test_labels():
    chat = [CHAT[0] | {"mood": "no"}, CHAT[1] | {"mood": "anger"}, CHAT[4]]
    X, y = load_messages(chat, instructions="context", label="mood")
    assert y.tolist() == [None, "anger", None]
    assert X["dialogue__role"].tolist() == ["context", "utterance", "context"]
    with pytest.raises(ValueError, match="nothing has the field label='emotion'"):
        load_messages(chat, label="emotion")


def test_many_conversations(written, tmp_path):
    path = written(lines({"messages": CHAT}, {"id": "b", "messages": CHAT}, CHAT))
    X, _ = load_messages(path)
    assert X["dialogue__id"].unique().tolist() == ["chat_0", "chat_b", "chat_2"]
    X, _ = load_messages([{"messages": CHAT}] * 2)
    assert X["dialogue__id"].unique().tolist() == ["0", "1"]
    written(json.dumps(CHAT), "a.json")
    X, _ = load_messages(tmp_path)
    assert X["dialogue__id"].unique()[0] == "a"


def test_a_message_in_each_line(written):
    X, _ = load_messages(written(lines(*CHAT)))
    assert spoken(X) == SAID
    assert X["dialogue__id"].unique().tolist() == ["chat"]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"content": "a"}, "conversation 1 is no message with a role"),
        ({"role": "user", "content": 3}, "message 1: 'content' is 3"),
        ({"role": [], "content": "a"}, r"message 1: 'role' is \[\], which is no name"),
        ({"role": "user", "content": [{"text": 1}]}, "message 1: a part of 'content'"),
        ({"role": "user", "name": {}, "content": "a"}, "message 1: 'name' is"),
    ],
)
def test_messages_that_are_none(written, message, told):
    with pytest.raises(ValueError, match=rf"a\.json, {told}"):
        load_messages(written(json.dumps([CHAT[1], message]), "a.json"))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"messages": 3}, "line 3 is no conversation"),
        ({"messages": [CHAT[0]]}, "line 3 has no message of a person"),
        ({"messages": [3]}, "line 3, message 0 is no dict with a role"),
        (7, "line 3 is no conversation"),
    ],
)
def test_conversations_that_are_none(written, second, told):
    text = lines({"messages": CHAT}) + "\n\n" + json.dumps(second)
    with pytest.raises(ValueError, match=rf"chat\.jsonl, {told}"):
        load_messages(written(text))


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", "null", '{"a": 1}\n{', "x"])
def test_other_files(written, text):
    with pytest.raises(ValueError, match=r"chat\.jsonl"):
        load_messages(written(text))


def test_conversations_of_one_name(written):
    with pytest.raises(ValueError, match=r"chat\.jsonl.*'chat_a'.*stands twice"):
        load_messages(written(lines(*[{"id": "a", "messages": CHAT}] * 2)))


def node(key, parent, role, *parts, kind="text", **more):
    content = {"content_type": kind, "parts": [*parts]}
    message = {"author": {"role": role}, "content": content, **more}
    return {key: {"id": key, "message": message, "parent": parent}}


TREE = {
    "title": "An order",
    "conversation_id": "c1",
    "current_node": "f",
    "mapping": {
        "root": {"id": "root", "message": None, "parent": None, "children": ["a"]},
        **node("a", "root", "system", ""),
        **node("b", "a", "user", "Where is my order?"),
        **node("old", "b", "assistant", "No idea."),
        **node("c", "b", "assistant", "look()", kind="code", recipient="python"),
        **node("d", "c", "tool", "on its way", kind="execution_output"),
        **node("e", "d", "assistant", "On its way.", recipient="all"),
        **node("f", "e", "user", {"content_type": "image"}, "Look!", metadata={}),
    },
}
TREE_SAID = [
    ("user", "Where is my order?"),
    ("assistant", "On its way."),
    ("user", "Look!"),
]


def test_the_export_of_chatgpt_holds_trees_of_which_one_branch_shows(tmp_path):
    silent = {"id": "c2", "mapping": node("a", None, "system", "")}
    content = json.dumps([TREE, silent])
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("conversations.json", content)
        file.writestr("user.json", "{}")
        file.writestr("chat.html", "<html>")
    for given in (json.loads(content), tmp_path / "export.zip"):
        X, y = load_messages(given)
        assert y is None
        assert spoken(X) == TREE_SAID
    assert X["dialogue__id"].unique().tolist() == ["export_c1"]
    early = TREE | {"current_node": None}
    assert spoken(load_messages(early)[0]) == TREE_SAID


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"current_node": "z"}, "'current_node' is 'z'"),
        ({"mapping": node("f", "f", "user", "a")}, "goes in a circle at node 'f'"),
        ({"mapping": node("f", "g", "user", "a")}, "leads nowhere at node 'g'"),
        ({"mapping": {"f": {"message": 3}}}, "node 'f' has no message with author"),
        ({"mapping": node("f", None, "tool", "a")}, "no message of a person"),
    ],
)
def test_trees_that_are_none(change, told):
    with pytest.raises(ValueError, match=told):
        load_messages(TREE | change)
