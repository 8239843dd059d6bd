"""Subtitles: SubRip and WebVTT."""

import html
import re
from collections import Counter
from collections.abc import Sequence
from os import PathLike

import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._cues import read_cues
from skmerc.datasets.transcripts._dialogues import as_table
from skmerc.datasets.transcripts._sources import find_files, read_text, total_size
from skmerc.exceptions import UnreadSpeakerWarning

_ENDINGS = {".srt", ".vtt"}
_VOICE = re.compile(r"<(/?)v(?:\.[^\s<>]*)?(?:\s([^<>]*))?>")
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_WEBVTT_TAG = re.compile(r"<[/A-Za-z0-9.][^<>]*>")
_HTML_TAG = re.compile(
    r"</?(?:a|b|big|c|center|div|em|font|i|lang|p|rt|ruby|s|small|span|strike|strong"
    r"|sub|sup|tt|u)(?:[\s.][^<>]*|/)?>",
    re.IGNORECASE,
)
_STYLE = re.compile(r"\{\\[^{}]*\}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_DASH = re.compile(r"[-\u2010-\u2015]\s*(?=\S)")
_PREFIX = re.compile(
    r"(?:>>+\s*)?"
    r"(?:\[([^\[\]:]{1,60})\]|([^\s\[\](){}<>:?!,;\"“”][^\[\](){}<>:?!,;\"“”]{0,40}))"
    r"\s?(?::(?=\s|$)|：)\s*"
)
_NUMBERED = re.compile(r"speaker[ _]?\d+", re.IGNORECASE)
_MOST_WORDS = 4


@validate_params(
    {
        "path": [str, PathLike, list, tuple],
        "speaker_prefixes": ["boolean", list, tuple, None],
        "split_dashes": ["boolean", None],
        "encoding": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_subtitles(
    path: FilePath | Sequence[FilePath],
    *,
    speaker_prefixes: bool | Sequence[str] | None = None,
    split_dashes: bool | None = None,
    encoding: str | None = None,
) -> tuple[pd.DataFrame, None]:
    r"""Read subtitles, SubRip (``.srt``) or WebVTT (``.vtt``), as dialogues.

    Parameters
    ----------
    path : str, Path or list of these
        A file; several, each a dialogue named after its file; or a folder, of which
        all files that end in ``.srt`` or ``.vtt`` are read.
    speaker_prefixes : bool or list of str, default=None
        Whether ``ANNA: Hello.`` at the beginning of a line names the speaker: up to
        four words before a colon and a blank, or a name in brackets, such as
        ``[SPEAKER_00]:``. A list gives the names that may stand there, so that
        ``Look: a bird`` is none. By default texts stay as they are, and a warning
        tells of what looks like names, or stands in front of most texts.
    split_dashes : bool, default=None
        Whether a text in which two lines or more begin with a dash becomes an
        utterance for each of them. They have the time of the whole, and speakers only
        where names stand there. By default such texts stay whole, and a warning tells.
    encoding : str, default=None
        The encoding of the files. By default that of the byte order mark, or UTF-8;
        files that are neither are read as Windows-1252, with a warning.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 7)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        text shown, with ``"start"`` and ``"end"`` in seconds. Rows are in the order of
        their starts; texts that start together, in that of the file.
    y : None
        Subtitles have no labels.

    Raises
    ------
    FileNotFoundError
        If a file is not there, or a folder has none.
    ValueError
        If a file is of another kind, damaged, not in its encoding or without a text, or
        a time is none. The error names the line.

    Warns
    -----
    TextEncodingWarning
        If a file was read as Windows-1252.
    UnreadSpeakerWarning
        If texts look as if they named speakers, and it was not said what to do.

    See Also
    --------
    load_segments : Read what a recogniser of speech writes as JSON.

    Notes
    -----
    The speaker of a voice span ``<v Anna>`` is read, and a cue of several voices
    becomes several utterances. Other tags, ASS overrides such as ``{\an8}``, comments,
    styles, regions, settings and identifiers are left out, entities such as ``&amp;``
    are decoded, and lines of one text are joined by a blank. Texts of nothing are left
    out. Numbers may have a comma or a dot, and hours may be missing.

    A text without a name has an unknown speaker, also where an earlier one may go on.

    References
    ----------
    .. [1] World Wide Web Consortium, "WebVTT: The Web Video Text Tracks Format",
       https://www.w3.org/TR/webvtt1/. SubRip has no description by its author; what
       players share is read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_subtitles
    >>> lines = [
    ...     "WEBVTT",
    ...     "",
    ...     "00:01.000 --> 00:02.500",
    ...     "<v Anna>You are <i>late</i>.",
    ...     "",
    ...     "00:03.000 --> 00:04.000",
    ...     "<v Ben>I know.",
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "call.vtt")
    ...     _ = file.write_text("\n".join(lines))
    ...     X, _ = load_subtitles(file)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance", "start", "end"]]
      dialogue__id dialogue__speaker      utterance  start  end
    0         call              Anna  You are late.    1.0  2.5
    1         call               Ben        I know.    3.0  4.0
    """
    files = find_files(path, _ENDINGS)
    seen: Counter = Counter()
    dialogues = []
    for name, file in files:
        with content_of(file, "subtitles"):
            cues, is_webvtt = read_cues(file, read_text(file, encoding))
            reader = _TextReader(is_webvtt, speaker_prefixes, split_dashes, seen)
            rows = [row for cue in cues for row in reader.utterances_of(cue)]
            if not rows:
                raise ValueError(f"{file} has no cue with a text.")
            dialogues.append((name, rows))
    _tell_of_speakers(seen, speaker_prefixes, split_dashes, path)
    return as_table(dialogues, ["start", "end"], path, total_size(files))


def _tell_of_speakers(seen, speaker_prefixes, split_dashes, path):
    told = []
    # Zoom and others write names as people do, which their number tells from words.
    everywhere = seen["prefixes"] < 2 and 2 * seen["beginnings"] > seen["texts"]
    n_prefixes = seen["beginnings" if everywhere else "prefixes"]
    if speaker_prefixes is None and n_prefixes > 1:
        told.append(
            f"{n_prefixes} lines begin with what looks like a speaker and a "
            "colon: speaker_prefixes=True reads it as that, a list of names only "
            "these, and False leaves all in the text"
        )
    if split_dashes is None and seen["dashes"]:
        told.append(
            f"{seen['dashes']} texts have several lines with a dash, as of several "
            "speakers: split_dashes=True makes each an utterance, False leaves them "
            "together"
        )
    if told:
        warn_user(f"{path!s:.200}: {'; '.join(told)}.", UnreadSpeakerWarning)


class _TextReader:
    """Reads the texts of cues; counts in `seen` what looks like speakers."""

    def __init__(self, is_webvtt, prefixes, dashes, seen):
        self.tag = _WEBVTT_TAG if is_webvtt else _HTML_TAG
        self.prefixes, self.dashes, self.seen = prefixes, dashes, seen

    def utterances_of(self, cue):
        """Make an utterance of each speaker who follows another one."""
        self.seen["texts"] += 1
        parts = [
            part
            for voice, text in _voices(cue.text)
            for part in self._parts(voice, self._without_tags(text))
        ]
        times = {"start": cue.start, "end": cue.end}
        rows = []
        for speaker, text, begins in parts:
            if rows and not begins and rows[-1]["speaker"] == speaker:
                rows[-1]["text"] += f" {text}"
            else:
                rows.append({"speaker": speaker, "text": text, **times})
        return rows

    def _without_tags(self, text):
        text = self.tag.sub("", _BREAK.sub("\n", _STYLE.sub("", text)))
        return _decode_entities(text)

    def _parts(self, voice, text):
        """Split the text of one voice at lines that begin with a speaker or a dash.

        A part has a speaker, a text, and whether it begins an utterance for certain.
        """
        lines = [" ".join(line.split()) for line in text.split("\n")]
        dashed = sum(_DASH.match(line) is not None for line in lines) > 1
        self.seen["dashes"] += dashed
        parts = []
        for line in filter(None, lines):
            dash = _DASH.match(line)
            name, said = self._prefix(line[dash.end() :] if dash else line)
            splits = bool(dash and dashed and self.dashes)
            begins = name is not None or splits
            if begins or not parts:
                parts.append((name or voice, [said if begins else line], begins))
            else:
                parts[-1][1].append(line)
        joined = [(who, " ".join(said).strip(), new) for who, said, new in parts]
        return [part for part in joined if part[1]]

    def _prefix(self, line):
        """Return the name in front of a line and the rest; None if there is none."""
        match = _PREFIX.match(line)
        name = match and (match[1] or match[2]).strip()
        if not name or len(name.split()) > _MOST_WORDS:
            return None, line
        looks = match[1] or _NUMBERED.fullmatch(name) or _is_in_capitals(name)
        self.seen["prefixes"] += bool(looks)
        self.seen["beginnings"] += 1
        listed = isinstance(self.prefixes, list | tuple)
        wanted = name in self.prefixes if listed else self.prefixes
        return (name, line[match.end() :]) if wanted else (None, line)


def _is_in_capitals(name):
    return name == name.upper() and name != name.lower() and len(name) > 1


def _voices(text):
    """Split a text into pairs of a voice, None where there is none, and its text."""
    voice, at, parts = None, 0, []
    for match in _VOICE.finditer(text):
        parts.append((voice, text[at : match.start()]))
        name = "" if match[1] else _decode_entities(match[2] or "")
        voice, at = " ".join(name.split()) or None, match.end()
    return [*parts, (voice, text[at:])]


def _decode_entities(text):
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)
