import os
import pickle
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from making import RATE, plain, sine, write_clip
from sklearn.base import clone
from systems import mostly_slow

from skmerc.exceptions import MissingModalityWarning, NonCommercialLicenseWarning
from skmerc.features import AudioFunctionals
from skmerc.features._pitch import track_pitch

pytest.importorskip("librosa")
pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")


def described(*sounds, rate=16000, **parameters):
    extractor = AudioFunctionals(rate=rate, **parameters)
    return extractor.set_output(transform="pandas").fit_transform(list(sounds))


def described_files(*paths, **parameters):
    return described(*(str(path) for path in paths), rate=None, **parameters)


@pytest.fixture
def speech_file(speak, tmp_path):
    path = tmp_path / "speech.wav"
    soundfile.write(path, speak("They never told me anything.", 50), RATE)
    return str(path)


@pytest.mark.parametrize("frequency", mostly_slow([66.0, 110.0, 220.0, 480.0]))
def test_the_pitch_of_a_tone_is_its_frequency(frequency):
    row = described(sine(frequency)).iloc[0]
    assert row["f0_p10"] == pytest.approx(frequency, rel=1e-3)
    assert row["f0_p90"] == pytest.approx(frequency, rel=1e-3)
    assert row["voiced_share"] > 0.95
    assert row["spectral_centroid_median"] == pytest.approx(frequency, abs=10)


def test_the_energy_of_a_tone_is_its_amplitude_over_root_two():
    rms = described(sine(amplitude=0.5), sine(amplitude=0.25))["rms_median"]
    np.testing.assert_allclose(rms, np.array([0.5, 0.25]) / np.sqrt(2), rtol=1e-2)


def test_loudness_leaves_pitch_and_voicing_alone(speak):
    speech = speak("Come in, please.", 50)
    loud, soft = described(speech, speech / 10, rate=RATE).to_dict("records")
    assert loud["rms_mean"] == pytest.approx(10 * soft["rms_mean"], rel=1e-3)
    assert loud["f0_mean"] == pytest.approx(soft["f0_mean"], rel=1e-2)
    assert loud["voiced_share"] == pytest.approx(soft["voiced_share"], abs=0.02)


def test_silence_has_numbers_and_no_voice():
    row = described(np.zeros(8000)).iloc[0]
    assert np.isfinite(row).all()
    assert row["rms_mean"] == row["voiced_share"] == row["f0_mean"] == 0
    assert row["duration"] == 0.5


def test_the_pitch_of_many_harmonics_is_that_of_the_first():
    harmonics = sum(sine(120 * k, amplitude=0.5 / k) for k in range(2, 12))
    assert described(harmonics)["f0_median"].iloc[0] == pytest.approx(120, rel=1e-3)


def test_the_pitch_of_a_long_sound_takes_no_memory_to_speak_of():
    sound = np.tile(sine(220), 60)
    tracemalloc.start()
    try:
        f0, _ = track_pitch(sound, 16000, 160)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(f0) == 6001
    np.testing.assert_allclose(f0[5:-5], 220, rtol=1e-3)
    assert peak < 100e6  # half of what all frames take at once


def test_noise_has_no_voice():
    noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    assert described(noise)["voiced_share"].iloc[0] < 0.02


def test_a_high_voice_is_higher_than_a_low_one(speak):
    words = "I am so happy to see you!"
    low, high = described(speak(words, 10), speak(words, 90), rate=RATE)["f0_median"]
    assert 65 < low < 0.75 * high < 500


def test_louder_halves_show_in_the_spread_of_energy():
    steady = sine(seconds=2)
    growing = steady * np.repeat([0.2, 1], 16000)
    spread = described(steady, growing)["rms_std"]
    assert spread[1] > 3 * spread[0]


def test_channels_are_mixed(tmp_path):
    left, right = 0.1 * np.random.default_rng(0).normal(size=(2, 16000))
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 16000, "FLOAT")
    stereo, mono = described_files(tmp_path / "a.wav"), described((left + right) / 2)
    np.testing.assert_allclose(stereo, mono, rtol=1e-3, atol=1e-2)


def test_the_sampling_rate_does_not_matter():
    tones = [sum(sine(f, rate=rate) for f in (200, 400)) for rate in (16000, 48000)]
    slow = described(tones[0])
    fast = described(tones[1], rate=48000)
    names = [n for n in slow if n.startswith(("f0", "rms", "voiced", "duration"))]
    names += ["spectral_centroid_median", "spectral_bandwidth_median"]
    np.testing.assert_allclose(slow[names], fast[names], rtol=1e-2, atol=1e-3)


def test_a_file_says_what_its_array_says(tmp_path, speak):
    speech = speak("Good morning.", 50)
    soundfile.write(tmp_path / "a.flac", speech, RATE, subtype="PCM_24")
    from_file = described_files(tmp_path / "a.flac")
    np.testing.assert_allclose(
        from_file, described(speech, rate=RATE), rtol=1e-3, atol=1e-2
    )


def test_the_sound_track_of_a_clip_is_read(tmp_path):
    tone = sine(330, seconds=1.5)
    path = write_clip(tmp_path / "a.mp4", [plain()] * 15, sound=tone)
    row, expected = described_files(path).iloc[0], described(tone).iloc[0]
    for name in ("f0_median", "rms_median", "spectral_centroid_median"):
        assert row[name] == pytest.approx(expected[name], rel=0.03)
    assert row["duration"] == pytest.approx(1.5, abs=0.15)  # coded in whole blocks


def test_every_feature_has_a_name_of_its_own():
    extractor = AudioFunctionals(rate=16000).fit([])
    names = extractor.get_feature_names_out()
    X = extractor.transform([sine()])
    assert X.dtype == np.float32
    assert X.shape == (1, len(names)) == (1, 202)
    assert len(set(names)) == 202
    assert {"mfcc_12_delta_p90", "f0_std", "voiced_share"} <= set(names)


@pytest.mark.parametrize(
    "as_column",
    mostly_slow(
        [
            list,
            lambda paths: pd.Series(paths, index=[7, 3]),
            lambda paths: pd.DataFrame({"wav": paths}, index=[7, 3]),
            lambda paths: np.array(paths, dtype=object),
            lambda paths: np.array(paths)[:, None],
            lambda paths: pl.Series(paths),
            lambda paths: pl.DataFrame({"wav": paths}),
        ]
    ),
)
def test_columns_of_any_kind_are_read(as_column, speech_file, tmp_path):
    soundfile.write(tmp_path / "b.wav", sine(), 16000)
    paths = [speech_file, str(tmp_path / "b.wav")]
    column = as_column(paths)
    frame = AudioFunctionals().set_output(transform="pandas").fit_transform(column)
    np.testing.assert_array_equal(frame, described_files(*paths))
    if isinstance(column, pd.Series | pd.DataFrame):
        assert frame.index.tolist() == [7, 3]


@pytest.mark.parametrize("kind", ["array", "chunks", "dictionary"])
def test_columns_of_arrow_are_read(kind, speech_file):
    pyarrow = pytest.importorskip("pyarrow")
    paths = [None, speech_file]
    column = {
        "array": pyarrow.array(paths),
        "chunks": pyarrow.chunked_array([paths[:1], paths[1:]], pyarrow.string()),
        "dictionary": pyarrow.array(paths).dictionary_encode(),
    }[kind]
    with pytest.warns(MissingModalityWarning, match="^1 of 2 rows.*no file named"):
        X = AudioFunctionals().fit_transform(column)
    np.testing.assert_array_equal(X[1:], described_files(speech_file))


def make_faulty_files(folder):
    """Files without features, and what the warning says of them."""
    wav = folder / "whole.wav"
    soundfile.write(wav, sine(), 16000)
    soundfile.write(folder / "short.wav", sine(seconds=0.05), 16000)
    soundfile.write(folder / "nan.wav", [np.nan] * 9000, 16000, subtype="FLOAT")
    (folder / "empty.wav").touch()
    (folder / "noise.wav").write_bytes(b"RIFF" + bytes(range(256)) * 9)
    (folder / "cut.wav").write_bytes(wav.read_bytes()[:9000])
    write_clip(folder / "silent.mp4", [plain()] * 5)
    return {
        "absent.wav": "no such file",
        ".": "a folder in place of a file",
        "empty.wav": "an empty file",
        "noise.wav": "damaged or unknown content",
        "cut.wav": "a sound cut short",
        "silent.mp4": "no audio stream",
        "short.wav": "sound shorter than 0.1 seconds",
        "nan.wav": "sound that is NaN or infinite",
    }


def test_what_cannot_be_read_is_a_missing_modality_with_one_warning(tmp_path):
    faults = make_faulty_files(tmp_path)
    paths = [tmp_path / name for name in faults]
    column = [tmp_path / "whole.wav", None, np.nan, "", pd.NA, *paths]
    with pytest.warns(MissingModalityWarning) as caught:
        X = AudioFunctionals().fit_transform(column)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("12 of 13 rows have no features")
    assert "4 with no file named" in message
    assert "The first is row 1, None: no file named" in message
    for fault in faults.values():
        assert f"1 with {fault}" in message
    assert np.isfinite(X[0]).all()
    assert np.isnan(X[1:]).all()


@pytest.mark.skipif(os.sep == "\\", reason="backslashes part folders here")
def test_a_path_of_windows_is_told_where_it_is_none():
    extractor = AudioFunctionals(errors="raise").fit([])
    with pytest.raises(ValueError, match=r"Row 0, .*so write slashes"):
        extractor.transform([r"clips\dia0_utt0.wav"])


def test_with_errors_raised_the_message_names_row_and_file(tmp_path):
    extractor = AudioFunctionals(errors="raise").fit([])
    for name, fault in make_faulty_files(tmp_path).items():
        path = str(tmp_path / name)
        with pytest.raises(ValueError, match=rf"Row 1, .*{name}': {fault}"):
            extractor.transform([tmp_path / "whole.wav", path])
    with pytest.raises(ValueError, match="Row 0, None: no file named"):
        extractor.transform([None])


def test_an_error_ends_all_jobs_quietly(tmp_path):
    extractor = AudioFunctionals(rate=16000, errors="raise", n_jobs=2).fit([])
    sounds = [*[sine()] * 5, tmp_path / "absent.wav", *[sine()] * 20]
    with parallel_config("threading"), pytest.raises(ValueError, match="Row 5, "):
        extractor.transform(sounds)


def test_jobs_leave_the_filters_of_warnings_alone(monkeypatch):
    filters, same = warnings.filters, []

    def describe(sound):
        same.append(warnings.filters is filters)
        return np.zeros(1)

    describe.names = ["nothing"]
    monkeypatch.setattr(AudioFunctionals, "_load", lambda self: describe)
    with parallel_config("threading"):
        AudioFunctionals(rate=16000, n_jobs=2).fit_transform([sine()] * 4)
    assert same == [True] * 4


def test_a_stream_of_unknown_length_is_no_damage(tmp_path):
    path = tmp_path / "piped.wav"
    soundfile.write(path, sine(), 16000)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff" * 4
    path.write_bytes(content)
    assert described_files(path, errors="raise")["duration"].iloc[0] == 1


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("a.wav", "X is one path, 'a.wav'"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "X has 2 columns"),
        ([None, 3.5], "Row 1 holds a float"),
        ([np.zeros((2, 16000))], r"Row 0 holds an array of shape \(2, 16000\)"),
        ([np.zeros(16000, dtype=np.int16)], "type int16"),
        ([np.zeros(16000)], "give its sampling rate"),
    ],
)
def test_what_is_no_column_of_sounds_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        AudioFunctionals().fit_transform(X)


def test_unknown_sets_are_refused():
    with pytest.raises(ValueError, match="'features' parameter"):
        AudioFunctionals(features="IS99").fit([])


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_several_jobs_give_the_same_in_the_same_order(backend, capsys):
    sounds = [None, *(sine(f) for f in (100, 200, 300))]
    extractor = AudioFunctionals(rate=16000).fit([])
    with pytest.warns(MissingModalityWarning):
        alone = extractor.transform(sounds)
    assert capsys.readouterr().err == ""
    extractor.set_params(n_jobs=2, verbose=1)
    with parallel_config(backend), pytest.warns(MissingModalityWarning):
        together = extractor.transform(sounds)
    np.testing.assert_array_equal(alone, together)
    assert "AudioFunctionals: 100%" in capsys.readouterr().err


def test_clones_and_pickles_answer_the_same(speech_file, global_state_untouched):
    extractor = AudioFunctionals(errors="raise").fit([speech_file])
    with global_state_untouched():
        X = extractor.transform([speech_file])
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform([speech_file]), X)
    assert clone(extractor).get_params() == extractor.get_params()


@pytest.mark.parametrize(
    ("features", "package", "extra"),
    [("librosa", "librosa", "audio"), ("IS09", "opensmile", "opensmile")],
)
def test_where_a_package_is_absent_the_extra_is_named(
    features, package, extra, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pip install 'skmerc\[{extra}\]'"):
        AudioFunctionals(features=features).fit([])


@pytest.mark.parametrize(
    ("features", "size", "name"),
    mostly_slow(
        [
            ("eGeMAPS", 88, "F0semitoneFrom27.5Hz_sma3nz_amean"),
            ("ComParE", 6373, "pcm_fftMag_spectralRollOff25.0_sma_range"),
            ("IS09", 384, "pcm_RMSenergy_sma_max"),
            ("IS10", 1582, "F0final__Turn_duration"),
        ]
    ),
)
def test_the_sets_of_opensmile_are_complete(features, size, name, speech_file):
    pytest.importorskip("opensmile")
    extractor = AudioFunctionals(features=features).set_output(transform="pandas")
    with pytest.warns(NonCommercialLicenseWarning, match="openSMILE"):
        extractor.fit([speech_file])
    frame = pickle.loads(pickle.dumps(extractor)).transform([speech_file])
    assert frame.shape == (1, size)
    assert name in frame
    assert np.isfinite(frame).all(axis=None)
    shortest = extractor.set_params(rate=16000).transform([sine(seconds=0.1)])
    assert np.isfinite(shortest).all(axis=None)


def test_our_pitch_of_speech_is_that_of_opensmile(speak):
    pytest.importorskip("opensmile")
    sounds = [speak("They never told me anything.", pitch) for pitch in (50, 80)]
    ours = described(*sounds, rate=RATE)["f0_median"]
    with pytest.warns(NonCommercialLicenseWarning):
        theirs = described(*sounds, rate=RATE, features="eGeMAPS")
    semitones = theirs["F0semitoneFrom27.5Hz_sma3nz_percentile50.0"]
    np.testing.assert_allclose(ours, 27.5 * 2 ** (semitones / 12), rtol=0.05)


def test_opensmile_hears_the_pitch_and_loud_sound_does_not_overflow():
    pytest.importorskip("opensmile")
    tones = [sine(220, amplitude=a) for a in (0.5, 1.0)]
    with pytest.warns(NonCommercialLicenseWarning):
        frame = described(*tones, features="eGeMAPS")
    pitch = frame["F0semitoneFrom27.5Hz_sma3nz_amean"]
    np.testing.assert_allclose(pitch, 12 * np.log2(220 / 27.5), rtol=0.01)
    loudness = frame["equivalentSoundLevel_dBp"]
    assert loudness[1] - loudness[0] == pytest.approx(20 * np.log10(2), abs=0.1)
