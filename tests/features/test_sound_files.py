"""Sounds as recorders, telephones and pipes write them: all that is whole is read."""

import re
import struct

import numpy as np
import pytest
from making import sine, write_sound
from systems import mostly_slow

from skmerc.features import AudioFunctionals
from skmerc.features._files import read_sound
from skmerc.features._media import Unreadable

av = pytest.importorskip("av")
pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")

TONE = sine(seconds=1.0)
CODINGS = [  # ending, coding, and how far its samples may be off
    ("wav", "PCM_U8", 0.01),
    ("wav", "PCM_16", 1e-4),
    ("wav", "PCM_24", 1e-6),
    ("wav", "PCM_32", 1e-6),
    ("wav", "FLOAT", 1e-6),
    ("wav", "DOUBLE", 1e-6),
    ("wav", "ULAW", 0.03),
    ("wav", "ALAW", 0.03),
    ("wav", "IMA_ADPCM", 0.1),
    ("wav", "MS_ADPCM", 0.1),
    ("wav", "GSM610", 0.2),
    ("wav", "G721_32", 0.2),
    ("rf64", "PCM_16", 1e-4),
    ("w64", "PCM_16", 1e-4),
    ("w64", "GSM610", 0.2),
    ("aiff", "PCM_16", 1e-4),
    ("aiff", "GSM610", 0.2),
    ("au", "PCM_16", 1e-4),
    ("au", "G723_40", 0.2),
    ("caf", "ALAC_16", 1e-4),
    ("caf", "PCM_16", 1e-4),
    ("nist", "PCM_16", 1e-4),
    ("flac", "PCM_16", 1e-4),
    ("ogg", "VORBIS", 0.1),
    ("ogg", "OPUS", 0.2),
    ("mp3", "MPEG_LAYER_III", 0.1),
]


def written(path, ending, coding, sound=TONE, rate=16000):
    soundfile.write(path, sound, rate, subtype=coding, format=ending.upper())
    return path


@pytest.mark.parametrize(("ending", "coding", "tolerance"), CODINGS)
def test_every_coding_is_read(ending, coding, tolerance, tmp_path):
    path = written(tmp_path / f"a.{ending}", ending, coding)
    sound, rate = read_sound(path)
    assert rate == 16000
    assert len(sound) >= 16000  # some codings come in whole blocks
    middle = slice(4000, 12000)
    np.testing.assert_allclose(sound[middle], TONE[middle], atol=tolerance)


@pytest.mark.parametrize(("ending", "coding", "tolerance"), CODINGS)
def test_every_coding_that_is_cut_is_told(ending, coding, tolerance, tmp_path):
    path = written(tmp_path / f"a.{ending}", ending, coding)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(Unreadable, match="cut short|damaged"):
        read_sound(path)


@pytest.mark.parametrize("n_channels", [2, 3, 6])
@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_any_number_of_channels_is_mixed(ending, n_channels, tmp_path):
    channels = np.random.default_rng(0).uniform(-0.5, 0.5, (9000, n_channels))
    path = written(tmp_path / f"a.{ending}", ending, "PCM_24", channels)
    np.testing.assert_allclose(read_sound(path)[0], channels.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 22050, 44056, 96000, 192000])
def test_any_rate_has_features(rate, tmp_path):
    path = written(tmp_path / "a.wav", "wav", "PCM_16", sine(rate=rate), rate)
    extractor = AudioFunctionals(errors="raise").set_output(transform="pandas")
    row = extractor.fit_transform([path]).iloc[0]
    assert row["duration"] == pytest.approx(1, abs=1e-3)
    assert row["f0_median"] == pytest.approx(220, rel=1e-2)


PIPES = [  # what programs write to a pipe: sizes of the file and of its samples
    (0, 0),
    (0xFFFFFFFF, 0xFFFFFFFF),
    (0xFFFFFFFF, 0),
    (0x7FFFF024, 0x7FFFF000),
    (0x80000024, 0x80000000),
]


@pytest.mark.parametrize("sizes", PIPES)
@pytest.mark.parametrize("coding", ["PCM_16", "FLOAT", "ULAW", "IMA_ADPCM", "GSM610"])
def test_wave_files_from_a_pipe_are_read_to_their_end(coding, sizes, tmp_path):
    path = written(tmp_path / "a.wav", "wav", coding)
    whole = read_sound(path)[0]
    content = bytearray(path.read_bytes())
    data = content.index(b"data") + 4
    content[4:8], content[data : data + 4] = (n.to_bytes(4, "little") for n in sizes)
    path.write_bytes(content)
    piped = read_sound(path)[0]
    assert abs(len(piped) - len(whole)) < 400  # one padded block
    np.testing.assert_allclose(piped[:15000], whole[:15000], atol=1e-3)


def test_a_w64_file_from_a_pipe_is_read_to_its_end(tmp_path):
    path = written(tmp_path / "a.w64", "w64", "PCM_16")
    content = bytearray(path.read_bytes())
    content[16:24] = b"\xff" * 8
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)


@pytest.mark.parametrize("size", [2**40, 2**62, 2**63 - 1])
def test_a_size_beyond_what_a_file_system_knows_is_that_of_a_cut_file(size, tmp_path):
    """Not every system lets a program look so far."""
    path = tmp_path / "a.mov"
    write_sound(path, TONE, "pcm_s16le")
    brand = path.read_bytes()[:20]
    samples = b"\0\0\0\1mdat" + size.to_bytes(8, "big") + bytes(99)
    path.write_bytes(brand + samples)
    with pytest.raises(Unreadable, match="^a sound cut short$"):
        read_sound(path)


@pytest.mark.parametrize("of_the_file", ["as it is", "zero"])
def test_rf64_files_are_held_to_the_size_of_their_samples(of_the_file, tmp_path):
    path = written(tmp_path / "a.wav", "rf64", "PCM_16")
    content = bytearray(path.read_bytes())
    assert content[12:16] == b"ds64"
    if of_the_file == "zero":
        content[20:28] = bytes(8)
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Unreadable, match="^a sound cut short$"):
        read_sound(path)


@pytest.mark.parametrize("claimed", [20, 10**6])
def test_a_wave_file_with_all_its_samples_is_whole(claimed, tmp_path):
    """Editors that take a chunk of remarks out forget the size of the file."""
    path = written(tmp_path / "a.wav", "wav", "PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8] = claimed.to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)


@pytest.mark.parametrize("left_out", [0, 8])
def test_the_size_of_the_file_may_stand_for_that_of_its_samples(left_out, tmp_path):
    """Recorders whose programs were written by hand do so."""
    path = written(tmp_path / "a.wav", "wav", "PCM_16")
    content = bytearray(path.read_bytes())
    content[40:44] = (len(content) - left_out).to_bytes(4, "little")
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)
    path.write_bytes(content[:-100])
    with pytest.raises(Unreadable, match="cut short"):
        read_sound(path)


def test_remarks_may_stand_before_the_samples(tmp_path):
    path = written(tmp_path / "a.wav", "wav", "PCM_16")
    content = path.read_bytes()
    remark = b"LIST" + (5).to_bytes(4, "little") + b"abcde" + b"\0"  # of odd size
    path.write_bytes(content[:36] + remark + content[36:])
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Unreadable, match="cut short"):
        read_sound(path)


PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def write_wide(path, samples, size=None, extensible=False):
    """Write a WAV file of 24 bits in 4 bytes for each of its samples."""
    n_channels = samples.shape[1]
    coding, align = 0xFFFE if extensible else 1, 4 * n_channels
    head = struct.pack("<HHIIHH", coding, n_channels, 8000, 8000 * align, align, 24)
    if extensible:
        head += struct.pack("<HHI", 22, 24, 0) + PCM_GUID
    data = samples.astype("<i4").tobytes()
    parts = b"fmt " + struct.pack("<I", len(head)) + head
    parts += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts)
    return path


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("place", ["upper bytes", "lower bytes"])
def test_24_bits_may_lie_in_4_bytes(place, extensible, size, tmp_path):
    """The size of a sample in bytes tells so, and not its bits."""
    samples = np.random.default_rng(0).integers(-(2**23), 2**23, (9000, 2))
    stored = samples << 8 if place == "upper bytes" else samples
    path = write_wide(tmp_path / "a.wav", stored, size, extensible)
    sound, rate = read_sound(path)
    assert rate == 8000
    np.testing.assert_allclose(sound, samples.mean(axis=1) / 2**23, atol=1e-6)


def test_a_sound_of_more_bits_than_its_header_tells_is_refused(tmp_path):
    samples = np.random.default_rng(0).integers(-(2**31), 2**31, (9000, 1))
    path = write_wide(tmp_path / "a.wav", samples)
    with pytest.raises(Unreadable, match="24 bits, by the header, of which 32"):
        read_sound(path)


def test_a_wave_file_may_lack_a_part_of_its_remarks(tmp_path):
    path = written(tmp_path / "a.wav", "wav", "PCM_16")
    path.write_bytes(path.read_bytes() + b"LIST" + (500).to_bytes(4, "little") + b"ab")
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)


def test_a_flac_file_of_unknown_length_is_read(tmp_path):
    path = written(tmp_path / "a.flac", "flac", "PCM_16")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits that count samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path)[0], TONE, atol=1e-4)


def test_a_flac_file_that_promises_more_than_memory_holds_is_cut_short(tmp_path):
    path = written(tmp_path / "a.flac", "flac", "PCM_16")
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F
    path.write_bytes(content)
    with pytest.raises(Unreadable, match="cut short"):
        read_sound(path)


def test_a_flac_file_that_ends_between_two_frames_is_cut_short(tmp_path):
    path = written(tmp_path / "a.flac", "flac", "PCM_16", np.tile(TONE, 4))
    content = path.read_bytes()
    frames = [found.start() for found in re.finditer(rb"\xff\xf8[\xc0-\xcf]", content)]
    path.write_bytes(content[: frames[len(frames) // 2]])
    with pytest.raises(Unreadable, match="cut short"):
        read_sound(path)


def variable_mp3(path, write_length=True):
    """Write an MP3 file whose first seconds take far more bits than the others."""
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 32000)
    sound = np.concatenate([noise, np.zeros(16000), 0.01 * noise])
    quality = {"flags": "+qscale", "global_quality": "500"}
    header = {"write_xing": str(int(write_length)), "id3v2_version": "0"}
    write_sound(path, sound, "libmp3lame", options=quality, container_options=header)
    return path.read_bytes(), len(sound)


TAGS = {
    "ID3v2": lambda mp3: b"ID3\3\0\0\0\0\n\0" + bytes(1280) + mp3,
    "ID3v1": lambda mp3: mp3 + b"TAG" + "Grüße".encode("latin-1").ljust(125),
    "lyrics": lambda mp3: mp3 + b"LYRICSBEGIN" + b"la " * 99 + b"000308LYRICS200",
    "padding": lambda mp3: mp3 + bytes(5000),
    "nothing": lambda mp3: mp3,
}


@pytest.mark.parametrize("write_length", mostly_slow([True, False]))
@pytest.mark.parametrize("tag", mostly_slow(TAGS))
def test_mp3_files_are_read_to_their_end_whatever_is_around(
    tag, write_length, tmp_path
):
    path = tmp_path / "a.mp3"
    content, n_samples = variable_mp3(path, write_length)
    path.write_bytes(TAGS[tag](content))
    assert 0 <= len(read_sound(path)[0]) - n_samples < 4000  # of some frames at most


def test_an_mp3_file_that_says_how_long_it_is_is_told_where_it_is_cut(tmp_path):
    path = tmp_path / "a.mp3"
    content, _ = variable_mp3(path)
    path.write_bytes(TAGS["ID3v2"](content[:-400]))
    with pytest.raises(Unreadable, match="cut short"):
        read_sound(path)


def test_mp3_in_a_wave_file_is_read(tmp_path):
    """Its length in samples is but an estimate."""
    path = tmp_path / "a.wav"
    write_sound(path, sine(rate=48000), "libmp3lame", 48000, "stereo")
    sound, rate = read_sound(path)
    assert len(sound) / rate == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("ending", "coding"),
    [("gsm", "GSM610"), ("vox", "VOX_ADPCM"), ("al", "ALAW"), ("ul", "ULAW")],
)
def test_files_without_a_header_are_known_by_their_ending(ending, coding, tmp_path):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, sine(rate=8000), 8000, format="RAW", subtype=coding)
    sound, rate = read_sound(path)
    assert rate == 8000
    assert len(sound) >= 8000


@pytest.mark.parametrize("ending", ["sb", "ub", "sw", "uw"])
def test_a_rate_that_nothing_tells_is_not_made_up(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(np.int16(2**14 * sine(rate=8000)).tobytes())
    with pytest.raises(Unreadable, match="nothing tells their rate"):
        read_sound(path)


def test_a_rate_or_number_of_channels_that_changes_midway_is_followed(tmp_path):
    """Two recordings of a broadcast, one behind the other."""
    path, content = tmp_path / "a.aac", b""
    for rate, layout in ((16000, "mono"), (32000, "stereo")):
        write_sound(path, sine(rate=rate), "aac", rate, layout)
        content += path.read_bytes()
    path.write_bytes(content)
    sound, rate = read_sound(path)
    assert rate == 16000
    assert len(sound) / rate == pytest.approx(2, abs=0.3)


@pytest.mark.parametrize("coding", ["VORBIS", "OPUS"])
def test_streams_that_follow_each_other_in_an_ogg_file_are_all_read(coding, tmp_path):
    """What is kept of a radio, a stream for each piece."""
    path, content = tmp_path / "a.ogg", b""
    for sound in (TONE, 0 * TONE, TONE):
        content += written(path, "ogg", coding, sound).read_bytes()
    path.write_bytes(content)
    sound, rate = read_sound(path)
    assert len(sound) / rate == pytest.approx(3, abs=0.1)
    energies = [np.std(part) for part in np.array_split(sound, 12)]
    np.testing.assert_allclose(energies[1:3] + energies[9:11], 0.5 / 2**0.5, rtol=0.05)
    np.testing.assert_allclose(energies[5:7], 0, atol=0.01)


def test_a_title_in_another_encoding_is_no_matter(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["title"] = "ABCDEFGH"
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            TONE[None].astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        for part in (frame, None):
            container.mux(stream.encode(part))
    content = path.read_bytes()
    assert content.count(b"ABCDEFGH") == 1
    for title in ("Grüße!!!".encode("latin-1"), "您好您好".encode("gbk"), b"\xff" * 8):
        path.write_bytes(content.replace(b"ABCDEFGH", title))
        assert len(read_sound(path)[0]) >= 16000
