import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from making import plain, sine, write_clip
from sklearn.base import clone
from systems import mostly_slow

from skmerc.exceptions import MissingModalityWarning
from skmerc.features import VideoFunctionals
from skmerc.features._files import sample_frames
from skmerc.features._media import Unreadable

av = pytest.importorskip("av")
transformers = pytest.importorskip("transformers")


def brightness(path, frame_rate):
    """Mean brightness of the frames looked at, in tens."""
    return [round(frame.mean() / 10) for frame in sample_frames(path, frame_rate)]


@pytest.mark.parametrize("ending", mostly_slow(["mp4", "mkv", "avi", "ts", "mov"]))
@pytest.mark.parametrize(
    ("frame_rate", "expected"),
    mostly_slow([(1, [0, 10]), (2, [0, 5, 10, 15]), (100, range(20)), (0.1, [0])]),
)
def test_frames_are_taken_at_equal_steps(ending, frame_rate, expected, tmp_path):
    pictures = [plain([10 * i] * 3) for i in range(20)]
    path = write_clip(tmp_path / f"a.{ending}", pictures, rate=10)
    assert brightness(path, frame_rate) == list(expected)


def turn_by_metadata(path):
    """Make an MP4 file ask its player for a quarter turn, as telephones do."""
    one, negative = (
        (0x10000).to_bytes(4, "big"),
        (-0x10000).to_bytes(4, "big", signed=1),
    )
    zero, w = bytes(4), (0x40000000).to_bytes(4, "big")
    upright = one + zero * 3 + one + zero * 3 + w
    turned = zero + one + zero + negative + zero * 4 + w
    before, of_the_track = path.read_bytes().rsplit(upright, 1)
    path.write_bytes(before + turned + of_the_track)


def test_a_clip_that_was_filmed_sideways_is_put_upright(tmp_path):
    lying = np.zeros((32, 64, 3), dtype=np.uint8)
    lying[:, :16] = 255  # the left becomes the top in a turn to the right
    path = tmp_path / "a.mp4"
    write_clip(path, [lying] * 3)
    turn_by_metadata(path)
    frame = next(sample_frames(path, 1))
    assert frame.shape == (64, 32, 3)
    assert frame[:14].mean() > 200
    assert frame[18:].mean() < 50


def test_a_clip_that_ends_before_its_time_is_no_clip(tmp_path):
    path = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=10, pix_fmt="yuv420p")
        stream.width = stream.height = 64
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(Unreadable, match="cut short|damaged"):
        list(sample_frames(path, 1))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A clip that stays as it is, and one that turns from dark to light."""
    folder = tmp_path_factory.mktemp("clips")
    changing = [plain([v] * 3) for v in np.linspace(0, 255, 20, dtype=int)]
    still = write_clip(folder / "still.mp4", [plain()] * 20, sound=sine(seconds=2))
    return [still, write_clip(folder / "changing.mkv", changing)]


@pytest.fixture
def extractor(image_model):
    return VideoFunctionals(image_model, device="cpu", batch_size=3)


@pytest.mark.slow
def test_a_change_shows_in_the_spread_over_frames(extractor, clips):
    X = extractor.set_output(transform="pandas").fit_transform(clips)
    spread = X.filter(like="_std").to_numpy().mean(axis=1)
    assert spread[0] < 0.05 * spread[1]
    assert X.shape == (2, 2 * 16)
    assert list(X.columns[[0, 15, 16]]) == [
        "embedding_0_mean",
        "embedding_15_mean",
        "embedding_0_std",
    ]


def test_embeddings_are_those_of_the_model(image_model, clips):
    X = VideoFunctionals(image_model, frame_rate=1, device="cpu").fit_transform(clips)
    model = transformers.AutoModel.from_pretrained(image_model).eval()
    expected = []
    for clip in clips:
        frames = torch.tensor(np.stack(list(sample_frames(clip, 1)))).permute(
            0, 3, 1, 2
        )
        small = torch.nn.functional.interpolate(frames.float(), 32, mode="area")
        with torch.inference_mode():
            states = model(small / 127.5 - 1).last_hidden_state.mean(dim=1)
        expected.append([*states.mean(dim=0), *states.std(dim=0, correction=0)])
    np.testing.assert_allclose(X, expected, atol=0.02)


def test_frames_go_through_in_batches_of_any_size(image_model, clips):
    X = [
        VideoFunctionals(image_model, batch_size=n, device="cpu").fit_transform(clips)
        for n in (1, 32)
    ]
    np.testing.assert_allclose(*X, atol=1e-5)


def test_threads_give_the_same_in_the_same_order(extractor, clips, capsys):
    expected = extractor.fit_transform(clips * 3)
    assert capsys.readouterr().err == ""
    together = extractor.set_params(n_jobs=2, verbose=1).transform(clips * 3)
    np.testing.assert_allclose(together, expected, atol=1e-6)
    assert "VideoFunctionals: 100%" in capsys.readouterr().err


def test_the_last_layer_of_a_classifier_is_left_out(clips, image_model, tmp_path):
    shutil.copytree(image_model, tmp_path, dirs_exist_ok=True)
    model = transformers.ViTForImageClassification.from_pretrained(image_model)
    model.save_pretrained(tmp_path)
    X = VideoFunctionals(tmp_path, device="cpu").fit_transform(clips)
    expected = VideoFunctionals(image_model, device="cpu").fit_transform(clips)
    np.testing.assert_array_equal(X, expected)


@pytest.fixture
def model_of_maps(image_model, tmp_path):
    """A convolutional network, which has no tokens, and its folder."""
    config = transformers.ConvNextConfig(hidden_sizes=[4, 4, 4, 6], depths=[1] * 4)
    with torch.random.fork_rng():
        network = transformers.ConvNextModel(config)
    folder = tmp_path / "maps"
    network.save_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(image_model)
    processor.save_pretrained(folder)
    return network, folder


def test_maps_and_tokens_become_embeddings(clips, model_of_maps):
    X = VideoFunctionals(model_of_maps[1], device="cpu").fit_transform(clips)
    assert X.shape == (2, 12)
    assert np.isfinite(X).all()


@pytest.mark.parametrize("kind", mostly_slow([torch.float16, torch.bfloat16]))
def test_a_model_in_half_precision_is_read_in_full(kind, clips, model_of_maps):
    network, folder = model_of_maps
    extractor = VideoFunctionals(folder, device="cpu")
    network.to(kind).float().save_pretrained(folder)
    expected = extractor.fit_transform(clips)
    network.to(kind).save_pretrained(folder)
    np.testing.assert_array_equal(extractor.fit_transform(clips), expected)


def test_what_cannot_be_read_is_a_missing_modality(extractor, clips, tmp_path):
    (tmp_path / "empty.mp4").touch()
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        samples = np.zeros((1, 16000), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    column = [clips[0], tmp_path / "absent.mp4", tmp_path / "empty.mp4", None, sound]
    with pytest.warns(MissingModalityWarning, match="4 of 5 rows") as caught:
        X = extractor.fit_transform(column)
    assert "1 with no video stream" in str(caught[0].message)
    assert len(caught) == 1
    assert np.isnan(X).all(axis=1).tolist() == [False, True, True, True, True]
    with pytest.raises(ValueError, match=r"Row 1, .*absent.mp4': no such file"):
        extractor.set_params(errors="raise").transform(column)


def test_a_clip_without_pictures_is_a_missing_modality(extractor, clips, tmp_path):
    path = write_clip(tmp_path / "none.avi", [plain()])
    content = Path(path).read_bytes()
    Path(path).write_bytes(content.replace(b"00dc", b"JUNK"))
    with pytest.warns(MissingModalityWarning, match="1 with no pictures"):
        X = extractor.fit_transform([clips[0], path])
    assert np.isnan(X).all(axis=1).tolist() == [False, True]


def test_a_device_that_is_not_there_is_refused(image_model):
    with pytest.raises(ValueError, match="use 'auto', 'cpu' or 'cuda'"):
        VideoFunctionals(image_model, device="gpu").fit([])


def test_arrays_are_no_clips(extractor):
    with pytest.raises(ValueError, match="Row 0 holds a ndarray; give the path"):
        extractor.fit([]).transform([np.zeros(5)])


def test_clones_and_pickles_answer_the_same(extractor, clips, global_state_untouched):
    with global_state_untouched():
        X = extractor.fit_transform(clips)
    content = pickle.dumps(extractor)
    assert len(content) < 10_000
    np.testing.assert_array_equal(pickle.loads(content).transform(clips), X)
    assert clone(extractor).get_params() == extractor.get_params()


def test_weights_that_lack_a_part_are_refused(image_model, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(image_model, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    absent = next(name for name in weights if "attention" in name)
    del weights[absent]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="lack 1 parts of the model"):
        VideoFunctionals(tmp_path).fit([])


@pytest.mark.parametrize(
    "absent", ["config.json", "model.safetensors", "preprocessor_config.json", "."]
)
def test_a_model_that_cannot_be_loaded_is_named(absent, image_model, tmp_path):
    folder = tmp_path / "mine"
    if absent != ".":
        shutil.copytree(image_model, folder)
        (folder / absent).write_bytes(b"{")
    with pytest.raises(
        OSError, match=r"mine' cannot be loaded \(\w+: .*\)\. Give"
    ) as e:
        VideoFunctionals(folder).fit([])
    assert "\n" not in str(e.value)


def test_a_model_of_text_is_refused(image_model, tmp_path):
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    with torch.random.fork_rng():
        transformers.BertModel(config).save_pretrained(tmp_path)
    processor = transformers.AutoImageProcessor.from_pretrained(image_model)
    processor.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="BertModel, which takes input_ids"):
        VideoFunctionals(tmp_path).fit([])


def saved_without_pictures(kind, image_model, folder):
    """Write a model that is no model of single pictures as they are."""
    sizes = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 32,
        "patch_size": 8,
    }
    config = getattr(transformers, f"{kind}Config")(**sizes)
    with torch.random.fork_rng():
        getattr(transformers, f"{kind}Model")(config).save_pretrained(folder)
    processor = Path(image_model) / "preprocessor_config.json"
    shutil.copy(processor, folder / processor.name)
    return folder


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ViTMAE", "gives other numbers for the same picture each time"),
        ("VideoMAE", r"embeds no single picture \(.+\)"),
    ],
)
def test_a_model_of_something_else_is_refused_by_name(
    kind, reason, image_model, clips, tmp_path, global_state_untouched
):
    folder = saved_without_pictures(kind, image_model, tmp_path / "model")
    with (
        global_state_untouched(),
        pytest.raises(ValueError, match=f"model.* is a {kind}Model, and {reason}"),
    ):
        VideoFunctionals(folder).fit(clips)


def test_the_noise_of_loading_stays_away_and_settings_come_back(extractor, capfd):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    extractor.fit([])
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("package", ["av", "transformers"])
def test_where_a_package_is_absent_the_extra_is_named(extractor, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[video\]'"):
        extractor.fit([])
