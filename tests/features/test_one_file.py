"""One file that cannot be read is one missing row, whatever is wrong with it."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from making import draw_face, plain, sine, write_clip
from systems import mostly_slow

from skmerc.exceptions import MissingModalityWarning, NonCommercialLicenseWarning
from skmerc.features import (
    AudioFunctionals,
    FaceFeatures,
    VideoFunctionals,
    _audio,
    _face,
    _video,
)
from skmerc.features._media import attempt

pytest.importorskip("librosa")
pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")


class OfADecoder(Exception):
    """An exception that no other process can make again."""

    def __init__(self, one, two):
        super().__init__()


PROBLEMS = [
    ValueError("array is too big"),
    RuntimeError("cannot\nsay in one line"),
    UnicodeDecodeError("utf-8", b"\xfc", 0, 1, "invalid start byte"),
    KeyError("unk"),
    OverflowError(),
    AssertionError(),
    RecursionError(),
    SystemError("error return without exception set"),
    OSError(22, "Invalid argument"),
    OfADecoder(1, 2),
]
OF_THE_PROGRAM = [MemoryError(), ImportError("no soundfile"), KeyboardInterrupt()]
if hasattr(torch, "AcceleratorError"):  # since torch 2.8
    OF_THE_PROGRAM.append(torch.AcceleratorError("CUDA error: an illegal access"))


@pytest.fixture
def sounds(tmp_path):
    """Two sounds, of which the first is called good and the second bad."""
    paths = [tmp_path / "good.wav", tmp_path / "bad.wav"]
    for path in paths:
        soundfile.write(path, sine(), 16000)
    return paths


@pytest.fixture
def stumble(monkeypatch):
    """A function that makes a decoder raise where it comes to the bad file."""

    def stumble(module, name, problem):
        decode = getattr(module, name)

        def decode_or_raise(path, *rest):
            if "bad" in path:
                raise problem
            return decode(path, *rest)

        monkeypatch.setattr(module, name, decode_or_raise)

    return stumble


def check_that_one_is_missing(extractor, column, reason):
    with pytest.warns(MissingModalityWarning, match=f"1 of 2 rows.*{reason}") as told:
        X = extractor.fit_transform(column)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert np.isfinite(X[0]).all()
    assert np.isnan(X[1]).all()
    extractor.set_params(errors="raise")
    with pytest.raises(ValueError, match=rf"^Row 1, .*bad\..*{reason}"):
        extractor.transform(column)


@pytest.mark.parametrize(
    "problem", mostly_slow(PROBLEMS), ids=lambda e: type(e).__name__
)
def test_whatever_a_decoder_raises_is_one_missing_row(sounds, stumble, problem):
    stumble(_audio, "read_sound", problem)
    reason = f"an error of what reads it: {type(problem).__name__}"
    check_that_one_is_missing(AudioFunctionals(), sounds, reason)


def test_what_a_decoder_raises_comes_back_from_other_processes(sounds, stumble):
    stumble(_audio, "read_sound", OfADecoder(1, 2))
    extract = AudioFunctionals().fit(sounds)._load()
    problem = attempt(extract, 1, sounds[1], strict=False)
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)


@pytest.mark.parametrize("problem", OF_THE_PROGRAM, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("errors", ["warn", "raise"])
def test_what_is_wrong_with_the_program_ends_it(sounds, stumble, problem, errors):
    extractor = AudioFunctionals(errors=errors).fit(sounds)
    stumble(_audio, "read_sound", problem)
    with pytest.raises(type(problem)) as told:
        extractor.transform(sounds)
    if isinstance(problem, MemoryError):
        assert "Row 1, " in str(told.value)


@pytest.fixture
def clips(tmp_path):
    pictures = [plain([30 * i] * 3) for i in range(8)]
    return [write_clip(tmp_path / f"{name}.mp4", pictures) for name in ("good", "bad")]


def test_a_clip_that_makes_the_decoder_stumble_is_one_missing_row(
    image_model, clips, stumble
):
    stumble(_video, "sample_frames", TypeError("no such pixels"))
    extractor = VideoFunctionals(image_model, device="cpu")
    check_that_one_is_missing(extractor, clips, "TypeError, no such pixels")


def test_so_it_is_for_faces(face_model, clips, stumble):
    for path in clips:
        write_clip(path, [draw_face()] * 3)
    stumble(_face, "sample_frames", TypeError("no such pixels"))
    extractor = FaceFeatures(face_model)
    check_that_one_is_missing(extractor, clips, "TypeError, no such pixels")


def test_a_model_that_stumbles_over_a_clip_is_one_missing_row(
    image_model, clips, monkeypatch
):
    write_clip(clips[1], [plain(size=32)])
    embed = _video.FrameEmbedder._embed

    def embed_or_raise(self, frames):
        if frames[0].shape == (32, 32, 3):
            raise RuntimeError("kernel size cannot be greater than input size")
        return embed(self, frames)

    monkeypatch.setattr(_video.FrameEmbedder, "_embed", embed_or_raise)
    extractor = VideoFunctionals(image_model, device="cpu")
    check_that_one_is_missing(extractor, clips, "RuntimeError, kernel size")


def test_embeddings_that_are_not_finite_are_told(image_model, clips, monkeypatch):
    write_clip(clips[1], [plain(size=32)])
    embed = _video.FrameEmbedder._embed

    def embed_or_break(self, frames):
        vectors = embed(self, frames)
        vectors[[frame.shape == (32, 32, 3) for frame in frames]] = np.nan
        return vectors

    monkeypatch.setattr(_video.FrameEmbedder, "_embed", embed_or_break)
    extractor = VideoFunctionals(image_model, device="cpu")
    check_that_one_is_missing(extractor, clips, "features that are not finite")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_one_feature_that_is_not_finite_is_told(sounds, monkeypatch, value):
    soundfile.write(sounds[1], sine(seconds=0.5), 16000)
    describe = _audio._descriptors.describe

    def describe_or_break(sound):
        features = describe(sound)
        features[5] = features[5] if len(sound) != 8000 else value
        return features

    monkeypatch.setattr(_audio._descriptors, "describe", describe_or_break)
    reason = "features that are not finite: 1 of 202 numbers"
    check_that_one_is_missing(AudioFunctionals(), sounds, reason)


def test_a_model_of_broken_weights_is_refused(image_model, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(image_model)
    for weight in model.parameters():
        weight.data.fill_(np.nan)
    model.save_pretrained(tmp_path)
    transformers.AutoImageProcessor.from_pretrained(image_model).save_pretrained(
        tmp_path
    )
    with pytest.raises(ValueError, match=r"not finite .* Its weights are broken"):
        VideoFunctionals(tmp_path, device="cpu").fit([])


@pytest.mark.skipif(os.name == "nt", reason="paths are text there")
@pytest.mark.parametrize(
    "as_column", [list, np.array, lambda paths: pd.DataFrame({"wav": paths})]
)
def test_paths_may_be_bytes(as_column, sounds, tmp_path):
    name = tmp_path / os.fsdecode(b"gr\xf6\xdfe.wav")
    os.replace(sounds[1], name)
    paths = [os.fsencode(sounds[0]), os.fsencode(name)]
    X = AudioFunctionals(errors="raise").fit_transform(as_column(paths))
    np.testing.assert_array_equal(X[0], X[1])
    with pytest.warns(MissingModalityWarning, match=r"gr\\udcf6\\udcdfe.mp3': no"):
        AudioFunctionals().fit_transform([name.with_suffix(".mp3").as_posix(), b""])
    with pytest.raises(ValueError, match="X is one path, b'"):
        AudioFunctionals().fit_transform(paths[0])


def test_what_is_no_regular_file_is_not_opened(sounds, tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "bad.pipe")
    column = [sounds[0], tmp_path / "bad.pipe"]
    check_that_one_is_missing(AudioFunctionals(), column, "a pipe or device in place")


def test_a_file_that_may_not_be_opened_says_so(sounds, monkeypatch):
    def refuse(path, *rest):
        raise PermissionError(13, "Permission denied")

    extractor = AudioFunctionals().fit([])
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.warns(MissingModalityWarning, match="2 with a file that cannot be op"):
        X = extractor.transform(sounds)
    assert np.isnan(X).all()


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav", "a" * 5000, "http://a/b"])
def test_names_that_no_file_can_have_name_no_file(name, sounds):
    with pytest.warns(MissingModalityWarning, match="1 with no such file"):
        AudioFunctionals().fit_transform([sounds[0], name])


def test_a_path_may_begin_at_home(sounds, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(sounds[0].parent))
    extractor = AudioFunctionals(errors="raise")
    for entry in ("~/good.wav", b"~/good.wav", Path("~", "good.wav")):
        np.testing.assert_array_equal(
            extractor.fit_transform([entry]), extractor.fit_transform(sounds[:1])
        )


def test_a_batch_of_sounds_is_told_to_be_a_list():
    batch = np.stack([sine(), sine()]).astype(np.float32)
    with pytest.raises(ValueError, match=r"16000 columns.*one sound, give list\(X\)"):
        AudioFunctionals(rate=16000).fit(batch)
    assert AudioFunctionals(rate=16000).fit_transform(list(batch)).shape[0] == 2
    with pytest.raises(ValueError, match="names the files.$"):
        AudioFunctionals().fit(np.array([["a.wav", "b.wav"]]))


def test_what_a_url_names_must_be_downloaded(sounds):
    for url in ("https://example.org/bad.wav", sounds[0].as_uri() + "#bad."):
        check_that_one_is_missing(
            AudioFunctionals(), [sounds[0], url], "no such file: .* downloaded first"
        )


@pytest.mark.parametrize(
    "X", [None, 3, {"a": "b.wav"}, {"b.wav"}, (name for name in ["b.wav"])]
)
def test_what_is_no_column_is_refused(X):
    for call in (AudioFunctionals().fit, AudioFunctionals().fit([]).transform):
        with pytest.raises(TypeError, match="X is a .*; give a list or column of path"):
            call(X)


def test_the_content_of_a_file_is_not_repeated(sounds):
    content = sounds[0].read_bytes()
    with pytest.warns(MissingModalityWarning, match="1 of 1") as told:
        AudioFunctionals().fit_transform([content])
    assert len(str(told[0].message)) < 600


def test_masked_cells_are_empty(sounds):
    column = np.ma.array([str(path) for path in sounds], dtype=object, mask=[0, 1])
    for cells in (column, column[:, None]):
        with pytest.warns(MissingModalityWarning, match="1 of 2 .* no file named"):
            X = AudioFunctionals().fit_transform(cells)
        assert np.isnan(X).all(axis=1).tolist() == [False, True]


FULL_SCALES = [2**7, 2**15, 2**23, 2**31]


@pytest.mark.parametrize("features", mostly_slow(["librosa", "eGeMAPS"]))
@pytest.mark.parametrize("full_scale", mostly_slow(FULL_SCALES))
@pytest.mark.parametrize("amplitude", mostly_slow([0.5, 0.1]))
def test_floats_in_units_of_integers_are_refused(features, full_scale, amplitude):
    if features == "eGeMAPS":
        pytest.importorskip("opensmile")
    sound = (sine(amplitude=amplitude) * full_scale).astype(np.float32)
    extractor = AudioFunctionals(features=features, rate=16000)
    for samples in (sound, np.rint(sound)):
        with pytest.raises(ValueError, match="Row 1 holds samples in units of integ"):
            _fit_quietly(extractor).transform([sine(), samples])


def _fit_quietly(extractor):
    if extractor.features == "librosa":
        return extractor.fit([])
    with pytest.warns(NonCommercialLicenseWarning):
        return extractor.fit([])


def test_a_silent_recording_in_units_of_integers_is_refused():
    samples = np.rint(sine(amplitude=3))
    with pytest.raises(ValueError, match="reach 3, and full scale is 1"):
        AudioFunctionals(rate=16000).fit_transform([samples])


@pytest.mark.parametrize("peak", [1.0, 1.3, 4.0])
def test_a_recording_that_is_too_loud_is_no_matter(peak, tmp_path):
    sound = sine(amplitude=peak).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    extractor = AudioFunctionals(rate=16000, errors="raise")
    X = extractor.fit_transform([sound, str(tmp_path / "a.wav"), np.sign(sound)])
    np.testing.assert_allclose(X[0], X[1], rtol=1e-4, atol=1e-4)


def test_a_file_of_floats_in_units_of_integers_is_a_missing_row(sounds):
    samples = (2**15 * sine()).astype(np.float32)
    soundfile.write(sounds[1], samples, 16000, subtype="FLOAT")
    reason = "samples in units of integers: they reach 16384"
    check_that_one_is_missing(AudioFunctionals(), sounds, reason)


@pytest.mark.parametrize("features", ["eGeMAPS", "IS09"])
def test_opensmile_clips_no_standardised_sound_in_silence(features):
    pytest.importorskip("opensmile")
    speech = np.random.default_rng(0).laplace(size=16000) * sine(3)
    extractor = _fit_quietly(AudioFunctionals(features=features, rate=16000))
    reason = "1 of 3 rows.*1 with sound beyond full scale.*openSMILE.*divide it first"
    loud = np.clip(1.5 * sine(), -1, 1)
    with pytest.warns(MissingModalityWarning, match=reason):
        X = extractor.transform(
            [speech / np.abs(speech).max(), loud, speech / speech.std()]
        )
    assert np.isnan(X).all(axis=1).tolist() == [False, False, True]


@pytest.mark.parametrize("rate", [1, 16, 999])
def test_rates_in_other_units_are_no_rates_of_speech(rate, sounds):
    """Of a second at 16 kHz hours would be made, in the memory too."""
    soundfile.write(sounds[1], sine(), rate)
    reason = f"a sampling rate below 1000 Hz: it is {rate}"
    with pytest.raises(ValueError, match=f"^Row 0 holds {reason}"):
        AudioFunctionals(rate=rate).fit_transform([sine()])
    check_that_one_is_missing(AudioFunctionals(), sounds, "a sampling rate below 1000")


def test_what_is_masked_in_a_sound_is_not_heard_in_silence():
    sound = np.ma.array(sine(), mask=sine() > 0.2)
    with pytest.raises(ValueError, match="^Row 1 holds a masked array; cut out"):
        AudioFunctionals(rate=16000).fit_transform([sine(), sound])


@pytest.mark.parametrize("kind", "bBhHiIlL?")
def test_arrays_of_integers_are_refused(kind):
    with pytest.raises(ValueError, match=r"type .*divide integers by their full scale"):
        AudioFunctionals(rate=16000).fit_transform([np.zeros(16000, dtype=kind)])


@pytest.mark.parametrize(
    "entry", [(sine(), 16000), list(sine()), {"array": sine()}, 5, b"a"[0]]
)
def test_what_is_neither_path_nor_array_is_refused(entry):
    column = pd.Series([None, entry], dtype=object)
    with pytest.raises(
        ValueError, match=r"Row 1 holds .*; give the path of a file, or"
    ):
        AudioFunctionals(rate=16000).fit_transform(column)


@pytest.mark.slow
def test_where_numba_can_store_nothing_the_way_out_is_named():
    code = "from skmerc import AudioFunctionals; AudioFunctionals().fit([])"
    environment = os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "ZipCacheLocator"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "NUMBA_CACHE_DIR" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("problem", [RuntimeError("no locator"), OSError("disk full")])
def test_what_would_befall_all_rows_is_told_before_the_first(monkeypatch, problem):
    def describe(sound):
        raise problem

    monkeypatch.setattr(_audio._descriptors, "describe", describe)
    with pytest.raises(RuntimeError, match=f"cannot be used .{problem}"):
        AudioFunctionals().fit([])
