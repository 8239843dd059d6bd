"""Speech, pictures and clips made on the spot."""

import ctypes

import numpy as np

RATE = 22050


def sine(frequency=220.0, seconds=1.0, amplitude=0.5, rate=16000):
    time = np.arange(round(seconds * rate)) / rate
    return amplitude * np.sin(2 * np.pi * frequency * time)


def sing(words, pitch):
    """A vowel per letter: a buzz of falling harmonics, with a formant of its own."""
    f0, time = 80 + 2 * pitch, np.arange(round(0.08 * RATE)) / RATE
    harmonics = f0 * np.arange(1, 20)
    vowels = []
    for letter in words:
        strength = np.exp(-np.abs(harmonics - 300 - 40 * (ord(letter) % 32)) / 300)
        vowels.append(strength @ np.sin(2 * np.pi * np.outer(harmonics, time)))
    return 0.1 * np.concatenate(vowels)


def load_espeak():
    """Return a function that speaks: eSpeak NG, from the wheel that carries it."""
    import espeakng_loader

    espeak = ctypes.CDLL(espeakng_loader.get_library_path())
    retrieval, folder = 1, espeakng_loader.get_data_path().encode()
    assert espeak.espeak_Initialize(retrieval, 0, folder, 0) == RATE
    parts = []

    @ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
    )
    def collect(samples, length, _):
        if samples and length > 0:
            parts.append(np.ctypeslib.as_array(samples, (length,)) / 32768)
        return 0

    espeak.espeak_SetSynthCallback(collect)
    espeak.espeak_SetVoiceByName(b"en")

    def speak(words, pitch):
        parts.clear()
        text, utf8, parameter_pitch = words.encode(), 1, 3
        espeak.espeak_SetParameter(parameter_pitch, pitch, 0)
        espeak.espeak_Synth(text, len(text) + 1, 0, 0, 0, utf8, None, collect)
        espeak.espeak_Synchronize()
        return np.concatenate(parts)

    return speak


def draw_face(mouth=0.0, size=256):
    """A cartoon on which MediaPipe finds a face; `mouth` opens it."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), (120, 150, 170))
    draw = ImageDraw.Draw(image)
    skin, shade, hair = (225, 180, 155), (203, 157, 132), (55, 37, 25)
    draw.ellipse((70, 30, 186, 180), fill=hair)
    draw.rectangle((108, 170, 148, 256), fill=shade)
    draw.ellipse((78, 45, 178, 200), fill=skin)
    for eye in (106, 150):
        draw.ellipse((eye - 13, 100, eye + 13, 114), fill="white")
        draw.ellipse((eye - 6, 101, eye + 6, 113), fill=hair)
        draw.arc((eye - 18, 84, eye + 18, 106), 200, 340, fill=hair, width=4)
    draw.polygon([(128, 105), (118, 142), (138, 142)], fill=shade)
    draw.ellipse((116, 136, 140, 148), fill=shade)
    height = 2 + 10 * mouth
    draw.ellipse((108, 168 - height, 148, 168 + height), fill=(150, 60, 60))
    draw.ellipse((114, 168 - height / 2, 142, 168 + height / 2), fill=(50, 10, 10))
    return np.asarray(image.resize((size, size)))


def plain(color=(90, 120, 150), size=64):
    return np.full((size, size, 3), color, dtype=np.uint8)


def write_clip(path, pictures, rate=10, sound=None, sound_rate=16000):
    """Write a clip in the format that the name says, with a sound track or without."""
    import av

    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate, pix_fmt="yuv420p")
        video.height, video.width = pictures[0].shape[:2]
        video.bit_rate = 2_000_000
        audio = sound is not None and container.add_stream(
            "aac", rate=sound_rate, layout="mono"
        )
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture))
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio:
            samples = np.asarray(sound, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = sound_rate
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return str(path)


def write_sound(path, sound, codec, rate=16000, layout="mono", options=None, **muxer):
    """Write a file of sound by FFmpeg, the same in all channels.

    `options` are those of the codec, `muxer` arguments of av.open.
    """
    import av

    with av.open(str(path), "w", **muxer) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options=options)
        context = stream.codec_context
        resampler = av.AudioResampler(
            context.format, layout, rate, context.frame_size or 1024
        )
        n_channels = len(av.AudioLayout(layout).channels)
        channels = np.tile(sound, (n_channels, 1)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout=layout)
        frame.sample_rate = rate
        for part in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(part))
    return path
