"""What the command takes, and what its help says."""

from argparse import (
    ArgumentParser,
    BooleanOptionalAction,
    RawDescriptionHelpFormatter,
    _SubParsersAction,
)
from typing import Any

from skmerc import __version__

KINDS = {
    "table": "to_frame",
    "subtitles": "load_subtitles",
    "segments": "load_segments",
    "messages": "load_messages",
    "slack": "load_slack",
    "whatsapp": "load_whatsapp",
    "telegram": "load_telegram",
    "convokit": "load_convokit",
}
"""The function of skmerc.datasets that reads each kind of file."""
FORMATS = ("csv", "json", "jsonl", "parquet")
"""What results are written as."""

_FIELDS = {
    "text": "the column of what was said (default: text)",
    "label": "the column of emotions (default: label)",
    "dialogue": "the column that names the dialogue (default: dialogue, dialogue_id or "
    "conversation_id)",
    "turn": "the column of numbers that order a dialogue (default: turn)",
    "timestamp": "the column of times that order it (default: timestamp)",
    "speaker": "the column of who speaks (default: speaker)",
    "audio": "a column of paths of sound files",
    "video": "a column of paths of clips",
}
_SWITCHES = {
    "day_first": "whether 04/03/2026 is the fourth of March",
    "normalize_labels": "whether 'JOY' and 'joy ' are one label",
    "normalize_speakers": "the same of speakers",
    "speaker_prefixes": "whether 'ANNA: Hello.' in subtitles names the speaker",
    "split_dashes": "whether lines of subtitles that begin with a dash are utterances",
}
_OTHERS = {
    "diarization": ("RTTM", "who speaks when, for segments of recognised speech"),
    "new_dialogue_after": ("SPAN", "the pause that parts a chat (default: 6h)"),
    "encoding": ("NAME", "the encoding of a file of text, where it is not UTF-8"),
}
PARAMETERS = (*_FIELDS, *_SWITCHES, *_OTHERS)
"""Parameters of readers that are options here, under the same names."""

_ABOUT = """\
Recognise emotions in conversations: one row of a table is one utterance.

  skmerc check calls.csv --text utterance --label emotion --dialogue call
  skmerc fit calls.csv --text utterance --label emotion --dialogue call --out m.skmerc
  skmerc report m.skmerc test.csv
  skmerc predict m.skmerc new.csv --out answers.csv
"""
_END = """\
Exit codes: 0 all went well, 1 a table or a model is refused, 2 the arguments are wrong,
130 interrupted.
Results go to standard output, everything else to standard error.
"""


def option(parameter: str) -> str:
    """Name the option of a parameter."""
    return f"--{parameter.replace('_', '-')}"


def make_parser() -> ArgumentParser:
    """Make the parser of the whole command."""
    parser = ArgumentParser(
        "skmerc",
        description=_ABOUT,
        epilog=_END,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"skmerc {__version__}")
    commands = parser.add_subparsers(
        title="commands",
        dest="command",
        metavar="COMMAND",
        required=True,
        description="skmerc COMMAND --help tells the options of each.",
    )
    _check(commands)
    _fit(commands)
    _predict(commands)
    _report(commands)
    return parser


def _check(commands: _SubParsersAction) -> None:
    parser = _command(
        commands, "check", "FILE", "say what to know of a table before training"
    )
    _add_file(parser, "a table with labels, or without")
    _add_output(parser, "text")


def _fit(commands: _SubParsersAction) -> None:
    parser = _command(
        commands, "fit", "FILE --out MODEL", "learn from a table, and save the model"
    )
    _add_file(parser, "a table with labels; rows without one are context")
    parser.add_argument("--out", required=True, metavar="MODEL", help="the new file")
    _add_model(parser, "the sentence model that reads texts: a folder, or a name on ")
    parser.add_argument(
        "--fine-tune",
        action="store_true",
        help="fit the sentence model to the labels too: better from a thousand "
        "utterances on, and takes minutes to hours without a GPU",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of all chance (default: 0)"
    )
    parser.add_argument("--device", default="auto", help="cpu or cuda (default: auto)")


def _predict(commands: _SubParsersAction) -> None:
    parser = _command(
        commands, "predict", "MODEL FILE", "name the emotion of each utterance"
    )
    _add_fitted(parser)
    _add_file(parser, "a table of whole dialogues; labels are not needed")
    _add_output(parser, "csv")


def _report(commands: _SubParsersAction) -> None:
    parser = _command(
        commands, "report", "MODEL FILE", "score a model on a table with labels"
    )
    _add_fitted(parser)
    _add_file(parser, "a table with labels that the model has not learned from")
    _add_output(parser, "text")


def _command(
    commands: _SubParsersAction, name: str, arguments: str, what: str
) -> ArgumentParser:
    parser = commands.add_parser(
        name,
        usage=f"skmerc {name} {arguments} [options]",
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show progress in a log file, too"
    )
    parser.add_argument(
        "--debug", action="store_true", help="show where an error came from"
    )
    return parser


def _add_fitted(parser: ArgumentParser) -> None:
    parser.add_argument("model_file", metavar="MODEL", help="what skmerc fit has saved")
    _add_model(parser, "the sentence model, where it is not where fit had it: ")


def _add_model(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--model", metavar="FOLDER", help=f"{what}the Hugging Face hub")


def _add_file(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("file", metavar="FILE", help=what)
    group = parser.add_argument_group(
        "how the file is read",
        "predict and report know it from fit; '' says that there is no such column.",
    )
    group.add_argument(
        "--kind",
        choices=KINDS,
        help="a table (.csv, .tsv, .parquet, JSON lines), a transcript or a chat "
        "(default: by the ending)",
    )
    for name, help_ in _FIELDS.items():
        group.add_argument(option(name), metavar="COLUMN", help=help_)
    for name, help_ in _SWITCHES.items():
        group.add_argument(option(name), action=BooleanOptionalAction, help=help_)
    for name, (metavar, help_) in _OTHERS.items():
        group.add_argument(option(name), metavar=metavar, help=help_)


def _add_output(parser: ArgumentParser, default: str) -> None:
    formats: Any = FORMATS if default in FORMATS else (default, *FORMATS)
    group = parser.add_argument_group("what comes out")
    group.add_argument(
        "--out", metavar="FILE", default="-", help="(default: -, stdout)"
    )
    group.add_argument(
        "--format",
        choices=formats,
        help=f"by default what the ending of the file says, and {default} elsewhere",
    )
    group.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        help="the same as --format json",
    )
