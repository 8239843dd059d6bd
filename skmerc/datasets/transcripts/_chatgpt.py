"""What ChatGPT exports: conversations as trees of messages, of which one branch shows.

Who asks again, or edits what they asked, makes a branch; the node that is current is
the end of the one that they saw last.
"""

_SPOKEN = ("text", "multimodal_text")


def is_tree(conversation):
    """Tell whether this is a conversation of ChatGPT's export."""
    return isinstance(conversation, dict) and isinstance(
        conversation.get("mapping"), dict
    )


def messages_of(conversation, where):
    """Return the messages of the branch that shows, with a role and a content.

    Calls of tools, what these answer, thoughts, and what ChatGPT hides itself are left
    out.
    """
    nodes = conversation["mapping"]
    branch = _branch(nodes, _end_of(conversation, where), where)
    messages = [_message(nodes[key], f"{where}, node {key!r:.60}") for key in branch]
    return [message for message in messages if message]


def _end_of(conversation, where):
    nodes, end = conversation["mapping"], conversation.get("current_node")
    if end is None:  # as in early exports
        leaves = [key for key, node in nodes.items() if _is_leaf(node)]
        end = leaves[-1] if leaves else None
    if end is not None and not (isinstance(end, str) and end in nodes):
        raise ValueError(f"{where}: 'current_node' is {end!r:.60}, and no node is.")
    return end


def _is_leaf(node):
    return isinstance(node, dict) and not node.get("children")


def _branch(nodes, end, where):
    """Walk from a node up to the root, and return the way down."""
    branch, seen = [], set()
    while end is not None:
        node = nodes.get(end) if isinstance(end, str) else None
        if not isinstance(node, dict) or end in seen:
            what = "goes in a circle" if isinstance(node, dict) else "leads nowhere"
            raise ValueError(f"{where}: the branch {what} at node {end!r:.60}.")
        seen.add(end)
        branch.append(end)
        end = node.get("parent")
    return branch[::-1]


def _message(node, where):
    """Take what was said in a node; None if nothing was."""
    message = node.get("message")
    if message is None:
        return None
    author, content = _field(message, "author"), _field(message, "content")
    if author is None or content is None:
        raise ValueError(
            f"{where} has no message with author and content: {message!r:.100}."
        )
    about = _field(message, "metadata") or {}
    hidden = about.get("is_visually_hidden_from_conversation")
    to_tool = message.get("recipient", "all") not in ("all", None)
    if hidden or to_tool or content.get("content_type", "text") not in _SPOKEN:
        return None
    return {
        "role": author.get("role"),
        "name": author.get("name"),
        "content": content.get("parts"),
    }


def _field(message, name):
    """Return a part of a message; None where it is no dict."""
    found = message.get(name) if isinstance(message, dict) else None
    return found if isinstance(found, dict) else None
