"""Clips as cameras, telephones and editors write them: all that is whole is read."""

import os
import socket
from fractions import Fraction

import numpy as np
import pytest
from making import plain, sine, write_clip
from systems import mostly_slow

from skmerc.features._files import read_sound, sample_frames
from skmerc.features._media import Unreadable

av = pytest.importorskip("av")
pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")

CODECS = {
    "mp4": "mpeg4",
    "mov": "mpeg4",
    "mkv": "mpeg4",
    "webm": "libvpx",
    "avi": "mpeg4",
    "flv": "flv",
    "wmv": "wmv2",
    "ts": "mpeg4",
}
MILLISECONDS = Fraction(1, 1000)


def frames_of(path):
    return list(sample_frames(path, 2))


def write_at(path, times, end, sound=None, sound_start=0.0, durations=True):
    """Write grey pictures that are shown from given times on, in seconds."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(CODECS[path.suffix[1:]], rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = MILLISECONDS
        if durations:
            video.codec_context.flags |= av.codec.context.Flags.frame_duration
        if sound is not None:
            audio = container.add_stream("aac", rate=16000, layout="mono")
        for number, (time, until) in enumerate(
            zip(times, [*times[1:], end], strict=True)
        ):
            frame = av.VideoFrame.from_ndarray(plain([30 * number] * 3))
            frame.pts, frame.time_base = round(1000 * time), MILLISECONDS
            if durations:
                frame.duration = round(1000 * (until - time))
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(
                sound[None].astype(np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.time_base = 16000, Fraction(1, 16000)
            frame.pts = round(16000 * sound_start)
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


@pytest.mark.parametrize("durations", mostly_slow([True, False]))
@pytest.mark.parametrize("ending", mostly_slow(CODECS))
@pytest.mark.parametrize(
    ("times", "end", "n_seen"),
    mostly_slow(
        [
            ([0, 1, 2], 3, 3),
            ([0, 1, 2], 7, 3),
            ([0], 5, 1),
            ([0, 0.02, 0.04, 0.9, 0.96, 3, 6.5], 6.6, 4),
        ]
    ),
)
def test_pictures_may_stay_as_long_as_they_like(
    times, end, n_seen, ending, durations, tmp_path
):
    path = write_at(tmp_path / f"a.{ending}", times, end, durations=durations)
    assert len(frames_of(path)) == n_seen


@pytest.mark.parametrize(
    "ending", mostly_slow(["mp4", "mov", "mkv", "avi", "flv", "wmv", "ts"])
)
@pytest.mark.parametrize(
    ("times", "seconds", "sound_start"),
    mostly_slow(
        [
            ([0], 5, 0),  # a picture of the speaker
            ([0, 0.5, 1, 1.5, 2, 2.5, 3], 0.5, 0),  # the sound ends first
            ([2, 2.5, 3], 5, 0),  # the picture begins late
            ([0, 0.5, 1, 4], 1, 3),  # the sound does
        ]
    ),
)
def test_sound_and_picture_need_not_begin_or_end_together(
    times, seconds, sound_start, ending, tmp_path
):
    sound = sine(seconds=seconds)
    path = write_at(
        tmp_path / f"a.{ending}", times, times[-1] + 0.1, sound, sound_start
    )
    assert len(frames_of(path)) == len(times)
    samples, rate = read_sound(path)
    assert len(samples) / rate == pytest.approx(seconds, abs=0.2)  # in blocks


@pytest.mark.parametrize("ending", ["mkv", "avi", "ts"])
def test_clocks_need_not_begin_at_zero(ending, tmp_path):
    path = write_at(tmp_path / f"a.{ending}", [-1, -0.5, 0, 0.5], 1)
    assert len(frames_of(path)) == 4


def test_clocks_may_start_again(tmp_path):
    """Two recordings, one behind the other."""
    content = b""
    for _ in range(2):
        path = write_at(tmp_path / "a.ts", [0, 0.5, 1, 1.5], 2)
        content += path.read_bytes()
    path.write_bytes(content)
    assert len(frames_of(path)) in (7, 8)  # the last of the first may stay too short


def test_streams_without_times_have_those_of_their_rate(tmp_path):
    path = write_clip(tmp_path / "a.m4v", [plain([10 * i] * 3) for i in range(20)])
    assert len(frames_of(path)) == 4


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv", "mov", "flv", "ts"])
def test_pictures_that_build_on_later_ones_come_in_their_order(ending, tmp_path):
    if "libx264" not in av.codecs_available:
        pytest.skip("needs an encoder of H.264")
    path = tmp_path / f"a.{ending}"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"bf": "3"})
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        for number in range(20):
            picture = np.full((64, 64, 3), 10 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode())
    greys = [frame.mean() for frame in frames_of(path)]
    np.testing.assert_allclose(greys, [0, 50, 100, 150], atol=4)


def test_what_was_cut_out_of_a_broadcast_is_read_from_its_first_whole_picture(
    tmp_path,
):
    path = tmp_path / "a.ts"
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    packets = path.read_bytes()
    for start in range(188 * 20, len(packets) // 2, 188 * 20):
        path.write_bytes(packets[start:])
        assert frames_of(path)


ALL_WAYS = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)]
ALL_WAYS += [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]


@pytest.mark.parametrize("matrix", ALL_WAYS)
def test_pictures_are_turned_and_mirrored_as_the_file_asks(matrix, tmp_path):
    path = tmp_path / "a.mp4"
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[:16, :32] = 255  # the upper left quarter
    write_clip(path, [picture] * 3)
    a, b, c, d = (value << 16 for value in matrix)
    numbers = {
        "as_it_is": [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30],
        "asked": [a, b, 0, c, d, 0, 0, 0, 1 << 30],
    }
    as_it_is, asked = (np.array(n, ">i4").tobytes() for n in numbers.values())
    before, after = path.read_bytes().rsplit(as_it_is, 1)
    path.write_bytes(before + asked + after)
    frame = next(sample_frames(path, 1))
    # Where the corner of the bright quarter goes, seen from the middle.
    x, y = -a - c, -b - d
    rows = (
        slice(None, frame.shape[0] // 2) if y < 0 else slice(frame.shape[0] // 2, None)
    )
    columns = (
        slice(None, frame.shape[1] // 2) if x < 0 else slice(frame.shape[1] // 2, None)
    )
    assert frame.shape == ((32, 64, 3) if matrix[0] else (64, 32, 3))
    assert frame[rows, columns].mean() > 240
    assert frame.mean() < 80


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_and_mirrored_as_they_ask(orientation, tmp_path):
    image = pytest.importorskip("PIL.Image")
    operations = pytest.importorskip("PIL.ImageOps")
    path = tmp_path / "a.jpg"
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[:16, :32] = 250
    picture[:16, 32:] = 120
    exif = image.Exif()
    exif[0x112] = orientation
    image.fromarray(picture).save(path, exif=exif)
    (frame,) = frames_of(path)
    with image.open(path) as photo:
        expected = np.asarray(operations.exif_transpose(photo))
    assert frame.shape == expected.shape
    np.testing.assert_allclose(frame.astype(int), expected, atol=20)


@pytest.mark.parametrize("first", ["cover", "clip"])
def test_a_cover_is_no_clip(first, tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        streams = {}
        for kind in ["cover", "clip"] if first == "cover" else ["clip", "cover"]:
            codec = {"cover": "mjpeg", "clip": "mpeg4"}[kind]
            streams[kind] = container.add_stream(codec, rate=25)
            streams[kind].width = streams[kind].height = 64
        streams["cover"].pix_fmt = "yuvj420p"
        streams["clip"].pix_fmt = "yuv420p"
        streams["cover"].disposition = av.stream.Disposition.attached_pic.value
        for kind, brightness, n in (("cover", 250, 1), ("clip", 50, 50)):
            for _ in range(n):
                frame = av.VideoFrame.from_ndarray(plain([brightness] * 3))
                frame = frame.reformat(format=streams[kind].pix_fmt)
                container.mux(streams[kind].encode(frame))
            container.mux(streams[kind].encode())
    assert [round(frame.mean()) // 10 for frame in frames_of(path)] == [5] * 4


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize("marked", [0, 1])
def test_of_several_sound_tracks_the_one_that_is_played_is_read(
    marked, ending, tmp_path
):
    path, marks = tmp_path / f"a.{ending}", av.stream.Disposition
    with av.open(str(path), "w") as container:
        streams = [
            container.add_stream("aac", rate=16000, layout="mono") for _ in range(2)
        ]
        for stream in streams:
            is_marked = stream is streams[marked]
            stream.disposition = marks.default if is_marked else marks(0)
        for stream, frequency in zip(streams, (200, 400), strict=True):
            tone = sine(frequency).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    sound, rate = read_sound(str(path))
    loudest = np.argmax(np.abs(np.fft.rfft(sound))) * rate / len(sound)
    assert loudest == pytest.approx((200, 400)[marked], abs=10)


def test_sound_with_a_cover_has_no_pictures(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        picture = av.VideoFrame.from_ndarray(plain()).reformat(format="yuvj420p")
        sound = av.AudioFrame.from_ndarray(
            sine()[None].astype(np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 16000
        for stream, frame in ((audio, sound), (cover, picture)):
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    assert len(read_sound(path)[0]) >= 16000
    with pytest.raises(Unreadable, match="no video stream"):
        frames_of(path)


@pytest.mark.parametrize(
    "ending", mostly_slow(["mp4", "mkv", "webm", "avi", "flv", "wmv", "mov"])
)
@pytest.mark.parametrize("share", mostly_slow([0.5, 0.9, 0.99]))
def test_a_clip_that_is_cut_is_told(ending, share, tmp_path):
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), dtype=np.uint8)
    options = {"movflags": "faststart"} if ending == "mp4" else {}
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream(CODECS[ending], rate=10, pix_fmt="yuv420p")
        stream.width = stream.height = 64
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    assert len(frames_of(path)) == 6
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(Unreadable, match="^a clip cut short$"):
        frames_of(path)


@pytest.mark.parametrize(
    ("ending", "codec", "pixels", "options"),
    [
        ("ts", "mpeg2video", "yuv420p", {}),
        ("mpg", "mpeg2video", "yuv420p", {}),
        ("gif", "gif", "rgb8", {}),
        ("webm", "libvpx", "yuv420p", {"live": "1"}),
    ],
)
def test_cuts_of_what_tells_no_length_are_told(
    ending, codec, pixels, options, tmp_path
):
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (25, 64, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream(codec, rate=25, pix_fmt=pixels)
        stream.width = stream.height = 64
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    assert frames_of(path)
    data = path.read_bytes()
    for share in (0.5, 0.9):
        n_packets = int(share * len(data)) // 188
        path.write_bytes(data[: 188 * n_packets + 100])
        with pytest.raises(Unreadable, match="^a clip cut short$"):
            frames_of(path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_photo_that_is_cut_is_told(share, progressive, tmp_path):
    """FFmpeg makes it up in green."""
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "a.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    exif = image.Exif()
    exif[0x10E] = "a small picture inside: \xff\xd8 \xff\xd9"
    image.fromarray(noise).save(path, progressive=progressive, exif=exif)
    content = path.read_bytes()
    for rest in (b"", b"what a telephone adds"):
        path.write_bytes(content + rest)
        assert len(frames_of(path)) == 1
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Unreadable, match="^a clip cut short$"):
        frames_of(path)


def test_a_coding_that_is_not_known_is_no_absent_stream(tmp_path):
    path = tmp_path / "a.mkv"
    write_clip(path, [plain()] * 4)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4", b"V_ZZZZ4"))
    with pytest.raises(Unreadable, match="^no video stream of a coding that FFmpeg"):
        frames_of(path)
    with pytest.raises(Unreadable, match="^no audio stream$"):
        read_sound(path)


def test_titles_in_other_encodings_are_no_matter(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "ABCDEFGH"
        stream = container.add_stream("mpeg4", rate=10, pix_fmt="yuv420p")
        stream.width = stream.height = 64
        stream.metadata["title"] = "IJKLMNOP"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(plain())))
        container.mux(stream.encode())
    content = path.read_bytes()
    for written in (b"ABCDEFGH", b"IJKLMNOP"):
        assert content.count(written) == 1
        for title in ("Grüße!!!".encode("latin-1"), "您好您好".encode("gbk")):
            path.write_bytes(content.replace(written, title))
            assert len(frames_of(path)) == 1


NAMES = [
    "2024-05-01T10:15:00",
    "pipe:1",
    "concat:a|b",
    "file:a",
    "http:a",
    "data:,a",
    "subfile,,start,0,end,1,,:a",
    "-x",
    "-",
    "clip%03d",
    "@a",
    "a*?[b]",
    "two lines\n",
    "größe",
    os.fsdecode(b"gr\xf6\xdfe"),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("ending", mostly_slow(["", ".mp4", ".wav", ".jpg", ".m3u8"]))
@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_a_name_is_but_a_name(name, ending, tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "clip.mp4", [plain()] * 10, sound=sine())
    soundfile.write(tmp_path / "sound.wav", sine(), 16000)
    monkeypatch.chdir(tmp_path)
    for path in (name + ending, str(tmp_path / (name + ending))):
        os.replace(clip, path)
        assert len(frames_of(path)) == 2
        assert len(read_sound(path)[0]) >= 16000
        clip = path
    os.replace("sound.wav", path)
    assert len(read_sound(name + ending)[0]) == 16000


def test_a_name_that_looks_like_a_pattern_opens_no_other_files(tmp_path):
    for number in range(3):
        picture = av.VideoFrame.from_ndarray(plain([80 * number] * 3))
        picture.to_image().save(tmp_path / f"a{number}.png")
    path = tmp_path / "a%d.png"
    path.write_bytes((tmp_path / "a2.png").read_bytes())
    (frame,) = sample_frames(path, 1000)
    assert round(frame.mean()) == 160


def test_no_file_opens_another_one_or_the_network(tmp_path):
    clip = write_clip(tmp_path / "clip.ts", [plain()] * 10, sound=sine())
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
        contents = {
            "here.m3u8": playlist.format(clip),
            "there.m3u8": playlist.format(f"http://127.0.0.1:{port}/clip.ts"),
            "list.mp4": f"ffconcat version 1.0\nfile '{clip}'\n",
            "beside.mp4": "ffconcat version 1.0\nfile clip.ts\n",
            "call.sdp": f"v=0\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
        }
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
            for read in (frames_of, read_sound):
                with pytest.raises(Unreadable, match="damaged or unknown content"):
                    read(tmp_path / name)
        with pytest.raises(BlockingIOError):
            server.accept()
