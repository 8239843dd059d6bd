"""Files of transcripts: which ones a path names, and what stands in them."""

import json
import re
from collections import Counter, defaultdict
from os import PathLike

from skmerc._utils.files import as_path
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._csv_dialect import marked_encoding
from skmerc.datasets.formats._files import check_file
from skmerc.datasets.formats._packed import packed_by
from skmerc.datasets.transcripts._archives import Archive, Packed, is_archive
from skmerc.exceptions import TextEncodingWarning
from skmerc.frame._texts import mend_controls


class JsonLines(list):
    """The values of a file of JSON lines, with the number of the line of each."""

    def __init__(self, values, numbers):
        super().__init__(values)
        self.numbers = numbers


def are_paths(given):
    """Tell whether these are a path or several, and not what stands in files."""
    if isinstance(given, list | tuple):
        return bool(given) and all(isinstance(one, str | PathLike) for one in given)
    return isinstance(given, str | PathLike)


def find_files(path, endings, known=None):
    """List the files that a path, several paths or a folder name, with their names.

    Of a zip archive the files with these endings are listed, or, where there are such,
    those alone whose stems a program writes that the pattern `known` fits.

    Each is named without its ending, or with it, or with the whole path, whichever
    tells all of them apart. A file that is the only one of an archive is called after
    this.
    """
    if not are_paths(path):
        raise ValueError(
            f"{path!r:.200} names no file; give a path, a list of paths or a folder."
        )
    given = [path] if isinstance(path, str | PathLike) else path
    files = [file for one in given for file in _files_of(as_path(one), endings, known)]
    for name_of in (lambda file: file.stem, lambda file: file.name, str):
        names = list(map(name_of, files))
        if len(set(names)) == len(names):
            return list(zip(names, files, strict=True))
    twice = Counter(files).most_common(1)[0][0]
    raise ValueError(f"{twice} is given twice; each file is a dialogue of its own.")


def _files_of(path, endings, known):
    if is_archive(path):
        return _packed_files(path, endings, known)
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in endings
        and not file.name.startswith(".")
        and not file.is_dir()
    )
    if not found:
        raise FileNotFoundError(
            f"{path} has no file that ends in {' or '.join(sorted(endings))}."
        )
    return found


def _packed_files(path, endings, known):
    files = [f for f in Archive(path).all_files() if f.suffix.lower() in endings]
    usual = [f for f in files if known and re.fullmatch(known, f.stem, re.IGNORECASE)]
    files = usual or files
    if not files:
        raise ValueError(
            f"{path} is a zip archive, and holds no file that ends in "
            f"{' or '.join(sorted(endings))}."
        )
    if len(files) == 1:
        files[0].stem, files[0].name = path.stem, path.name
    return files


def total_size(files):
    """Count the bytes of files with their names."""
    return bytes_of(file for _, file in files)


def bytes_of(files):
    """Count the bytes of files, some of which may be packed."""
    plain, packed = [], defaultdict(list)
    for file in files:
        if isinstance(file, Packed):
            packed[file.archive].append(file.place)
        else:
            plain.append(file)
    sizes = [archive.size_of(places) for archive, places in packed.items()]
    return sum(map(check_file, plain)) + sum(sizes)


def read_text(path, encoding=None):
    """Read a file as text, in the encoding told, marked or found."""
    if not isinstance(path, Packed):
        check_file(path)
    data = path.read_bytes()
    if packed_by(data):
        raise ValueError(f"{path} is packed by {packed_by(data)}; unpack it first.")
    encoding = encoding or marked_encoding(data)
    if encoding:
        return _decode(path, data, encoding)
    if b"\0" in data:
        raise ValueError(
            f"{path} holds zero bytes in line {_line_at(data, data.index(0))}, so it "
            "is no text, or UTF-16 without a byte order mark; write it as UTF-8."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _decode_western(path, data, error)


def lines_of(text):
    """Split a text at the line ends of all systems, and nowhere else."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _decode(path, data, encoding):
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not {encoding}: line {_line_at(data, error.start)} has the "
            f"byte {data[error.start]:#x}. It was cut or damaged, or has another "
            "encoding."
        ) from error
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{path} cannot be read as {encoding!r}: {error}.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path} holds a zero character in line {line}.")
    return text.removeprefix("\ufeff")


def _decode_western(path, data, error):
    """Read as Windows-1252 what was never UTF-8; refuse what is damaged UTF-8."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    intact = sum(map(len, re.findall("[^\0-\x7f\ufffd]+", text)))
    where = f"line {_line_at(data, error.start)} has the byte {data[error.start]:#x}"
    if intact >= broken or error.reason == "unexpected end of data":
        raise ValueError(
            f"{path} is damaged or was cut: it is UTF-8 but for {where}. If it has "
            "another encoding, write it as UTF-8."
        ) from error
    warn_user(
        f"{path} is not UTF-8 ({where}) and was read as Windows-1252. Where letters "
        "look wrong, write it as UTF-8, or tell its encoding.",
        TextEncodingWarning,
    )
    return mend_controls(data.decode("latin-1"))


def _line_at(data, at):
    return len(re.findall(rb"\r\n|\r|\n", data[:at])) + 1


def read_json(path):
    """Read JSON, or JSON lines, which come back as `JsonLines`."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise _no_json(path, error.lineno, error) from error
    except (ValueError, RecursionError) as error:
        raise _no_json(path, None, error) from error
    lines = [(n, line) for n, line in enumerate(lines_of(text), 1) if line.strip()]
    values = [_parse(path, number, line) for number, line in lines]
    return JsonLines(values, [number for number, _ in lines])


def _parse(path, number, line):
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _no_json(path, number, error) from error


def _no_json(path, line, error):
    where = "it" if line is None else f"line {line}"
    return ValueError(
        f"{path}: {where} is no JSON ({error}). The file was cut or damaged, or is of "
        "another kind."
    )
