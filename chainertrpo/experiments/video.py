"""Videos of rendered frames, as GIF: no codec is needed to write or to see them."""

import contextlib
import math
import os

import numpy

FASTEST = 50  # frames a second: viewers show GIFs with delays below 0.02 s slowly


def timing(fps):
    """Choose which frames a GIF shows, and for how long.

    Its delays are whole hundredths of a second, at least two.

    Parameters
    ----------
    fps : float
        Frames a second that are to be shown.

    Returns
    -------
    every : int
        Each `every`-th frame is shown.
    delay : callable
        k -> delay of the k-th frame shown, in 1/100 s; k of them take
        ``100 · k · every / fps`` to half a hundredth.

    Raises
    ------
    ValueError
        `fps` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"expected fps > 0, got {fps}.")
    every = math.ceil(fps / FASTEST)

    def until(k):
        return math.floor(100 * k * every / fps + 0.5)

    return every, lambda k: until(k + 1) - until(k)


class Gif:
    """A GIF that is written frame by frame: two frames are in memory, however long it is.

    Each frame after the first holds the rectangle that changed, with its own palette.  As
    a context manager it puts the file in its place at the end, or nothing after an error.

    Parameters
    ----------
    path : str or os.PathLike
        The file; there when it is whole.
    fps : float
        Frames a second.

    Attributes
    ----------
    written : int
        Frames in the file; viewers show no more than 50 a second, so others are left out.
    """

    def __init__(self, path, fps):
        self.path, self.written = path, 0
        self._every, self._delay = timing(fps)
        self._given, self._last, self._file = 0, None, None
        self._writing = f"{os.fspath(path)}.writing"

    def add(self, frame):
        """Add a frame, array of shape (H, W, 3), uint8; all have one size.

        Raises
        ------
        ImportError
            Pillow is missing.
        ValueError
            Its size differs from those before.
        """
        try:
            from PIL import GifImagePlugin, Image
        except ImportError as error:
            raise ImportError("videos need Pillow: pip install pillow") from error
        self._given += 1
        if (self._given - 1) % self._every:
            return
        frame, last = numpy.array(frame), self._last
        if last is not None and frame.shape != last.shape:
            raise ValueError(f"expected frames of {last.shape}, got {frame.shape}.")
        left, top, part = (0, 0, frame) if last is None else _changed(last, frame)
        image = Image.fromarray(part).quantize(256)
        if self._file is None:
            self._file = open(self._writing, "wb")  # noqa: SIM115  (closed below)
            self._file.writelines(GifImagePlugin.getheader(image, info={"loop": 0})[0])
        self._file.writelines(
            GifImagePlugin.getdata(
                image,
                (left, top),
                duration=10 * self._delay(self.written),
                include_color_table=True,
            )
        )
        self.written, self._last = self.written + 1, frame

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._file is None:
            if kind is None:
                raise ValueError("expected at least one frame, got none.")
            return
        with self._file:
            if kind is None:
                self._file.write(b";")
        if kind is None:
            os.replace(self._writing, self.path)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._writing)


def write_gif(path, frames, fps):
    """Write a GIF of frames.

    Parameters
    ----------
    path : str or os.PathLike
        The file; there when it is whole.
    frames : iterable of array, shape (H, W, 3), uint8
        All of one size; a generator is best.
    fps : float
        Frames a second.

    Returns
    -------
    int
        How many frames were written.

    Raises
    ------
    ImportError
        Pillow is missing.
    ValueError
        There are no frames, or their sizes differ.
    """
    with Gif(path, fps) as gif:
        for frame in frames:
            gif.add(frame)
    return gif.written


class Filmed:
    """An environment whose first episode goes into a GIF, at the environment's speed.

    As a context manager it writes the file at the end.

    Parameters
    ----------
    env : Env
        Made with ``render_mode="rgb_array"``.
    path : str or os.PathLike
        The file.

    Attributes
    ----------
    frames : int
        Frames in the file.
    """

    def __init__(self, env, path):
        self._env, self._episodes = env, 0
        own = getattr(getattr(env, "env", env), "metadata", None) or {}
        self._gif = Gif(path, own.get("render_fps") or 30)

    def __getattr__(self, name):
        return getattr(self._env, name)

    @property
    def frames(self):
        """Frames in the file."""
        return self._gif.written

    def reset(self):
        """Start an episode."""
        obs = self._env.reset()
        self._episodes += 1
        self._film()
        return obs

    def step(self, action):
        """Take a step."""
        result = self._env.step(action)
        self._film()
        return result

    def _film(self):
        if self._episodes == 1:
            self._gif.add(self._env.render())

    def __enter__(self):
        self._gif.__enter__()
        return self

    def __exit__(self, *error):
        self._gif.__exit__(*error)


def _changed(last, frame):
    # The smallest rectangle with all changes, or one pixel if there are none.
    rows, columns = ((last != frame).any(axis) for axis in ((1, 2), (0, 2)))
    if not rows.any():
        return 0, 0, frame[:1, :1]
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom = len(rows) - int(rows[::-1].argmax())
    right = len(columns) - int(columns[::-1].argmax())
    return left, top, frame[top:bottom, left:right]


def follow(env):
    """Let the pictures of a MuJoCo task follow its walker, where its model has a camera.

    gymnasium 1.4 takes a camera that stays where the episode began.

    Parameters
    ----------
    env : object
        Of gymnasium or gym, made with ``render_mode="rgb_array"``.
    """
    renderer = getattr(env.unwrapped, "mujoco_renderer", None)
    if renderer is None:
        return
    import mujoco

    kind = mujoco.mjtObj.mjOBJ_CAMERA
    camera = mujoco.mj_name2id(env.unwrapped.model, kind, "track")
    if camera != -1:
        renderer.camera_id = camera
