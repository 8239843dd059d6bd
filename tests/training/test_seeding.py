"""Random numbers without a trace in the global generators."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import numpy as np
import pytest
import torch

from skmerc import CBERLClassifier
from skmerc._training import draw_seed, resolve_device, seeded
from skmerc._utils.seeding import repeatable

CPU = torch.device("cpu")


def test_a_seed_repeats_and_another_differs():
    def draw(seed):
        with seeded(seed, CPU):
            return torch.randn(5)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_what_came_before_means_nothing(global_state_untouched):
    with global_state_untouched():
        with seeded(1, CPU):
            expected = torch.randn(5)
        with seeded(9, CPU):
            torch.randn(3)
            with seeded(1, CPU):
                assert torch.equal(torch.randn(5), expected)


def test_global_generators_come_back_even_from_an_error(global_state_untouched):
    def fail():
        with seeded(0, CPU):
            torch.randn(3)
            raise KeyError

    with global_state_untouched(), pytest.raises(KeyError):
        fail()


def test_threads_do_not_draw_each_others_numbers(global_state_untouched):
    def draw(seed):
        with seeded(seed, CPU):
            first = torch.randn(2)
            sleep(0.01)
            return torch.cat([first, torch.randn(2)])

    with global_state_untouched(), ThreadPoolExecutor(4) as threads:
        together = list(threads.map(draw, range(8)))
    assert all(torch.equal(drawn, draw(k)) for k, drawn in enumerate(together))


def test_seeds_are_drawn_as_scikit_learn_draws_them(global_state_untouched):
    with global_state_untouched():
        assert draw_seed(3) == draw_seed(3) != draw_seed(4)
        rng = np.random.RandomState(3)
        assert draw_seed(rng) == draw_seed(3) != draw_seed(rng)
    assert isinstance(draw_seed(3), int)


@pytest.fixture
def restore_settings():
    mode, cudnn = torch.get_deterministic_debug_mode(), torch.backends.cudnn
    rounding = cudnn.allow_tf32
    yield
    torch.set_deterministic_debug_mode(mode)
    cudnn.allow_tf32 = rounding


@pytest.mark.usefixtures("restore_settings")
@pytest.mark.parametrize("mode", ["default", "warn", "error"])
@pytest.mark.parametrize("rounded", [True, False])
def test_a_gpu_adds_in_order_and_in_full_and_the_users_choice_comes_back(mode, rounded):
    def state():
        return (
            torch.get_deterministic_debug_mode(),
            torch.backends.cudnn.allow_tf32,
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    gpu = torch.device("cuda")
    torch.set_deterministic_debug_mode(mode)
    torch.backends.cudnn.allow_tf32 = rounded
    outside = state()
    with repeatable(CPU):
        assert state() == outside
    with repeatable(gpu):
        with pytest.raises(KeyError), repeatable(gpu):
            raise KeyError
        assert state() == (2, False, False)
    assert state() == outside


@pytest.mark.usefixtures("restore_settings")
def test_newer_settings_of_precision_come_back_too():
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    with repeatable(torch.device("cuda")):
        assert torch.backends.cudnn.rnn.fp32_precision == "ieee"
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cudnn.rnn.fp32_precision == "tf32"


@pytest.mark.gpu
def test_the_generator_of_the_device_comes_back_too():
    device = torch.device("cuda")
    before = torch.cuda.get_rng_state()
    with seeded(1, device):
        first = torch.randn(3, device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    with seeded(1, device):
        assert torch.equal(torch.randn(3, device=device), first)


def test_auto_is_a_device_of_this_machine():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    assert resolve_device("cpu") == CPU


@pytest.mark.parametrize("device", ["gpu", "cuda"])
def test_a_device_that_is_not_there_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="use 'auto', 'cpu' or 'cuda'"):
        resolve_device(device)


def test_one_gpu_too_many_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(ValueError, match="'cuda:1' is not there: torch sees 1 GPU"):
        resolve_device("cuda:1")


@pytest.mark.slow
def test_a_model_goes_to_a_process_without_gpu(conversations_xy, answer_without_gpu):
    X, y = conversations_xy
    model = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0).fit(X, y)
    assert model.device == "auto"
    assert ":" not in model.net_.device
    np.testing.assert_array_equal(
        answer_without_gpu(model, "predict", X), model.predict(X)
    )


def test_auto_takes_the_gpu_that_is_visible_whatever_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == torch.device("cuda")
