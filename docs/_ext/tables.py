"""Tables of scores that read well: a row is a line, and commands are folded away."""

from docutils import nodes


def keep_deviations(app, doctree):
    """Let no line break stand beside ± in a table."""
    for entry in doctree.findall(nodes.entry):
        for text in list(entry.findall(nodes.Text)):
            if " ± " in text:
                kept = text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
                text.parent.replace(text, nodes.Text(kept))


def name_scores(app, doctree):
    """Give tables of means ± deviations the class ``scores`` of the style sheet."""
    for table in doctree.findall(nodes.table):
        if any("\N{PLUS-MINUS SIGN}" in text for text in table.findall(nodes.Text)):
            table["classes"].append("scores")


def fold_commands(app, doctree):
    """Fold away the commands of the examples that print the tables."""
    for block in list(doctree.findall(nodes.literal_block)):
        if block.astext().startswith(("python examples/", "OMP_NUM_THREADS=")):
            folded = nodes.admonition(collapsible="closed", classes=["command"])
            block.replace_self(folded)
            folded += [nodes.title("", "Command"), block]


def setup(app):
    app.connect("doctree-read", keep_deviations)
    app.connect("doctree-read", name_scores)
    app.connect("doctree-read", fold_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
