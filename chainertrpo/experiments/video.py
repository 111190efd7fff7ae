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


def write_gif(path, frames, fps):
    """Write a GIF, frame by frame: two frames are in memory, however long it is.

    Each frame after the first holds the rectangle that changed, with its own palette.

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
    try:
        from PIL import GifImagePlugin, Image
    except ImportError as error:
        raise ImportError("videos need Pillow: pip install pillow") from error
    every, delay = timing(fps)
    written, last, file = 0, None, None
    writing = f"{os.fspath(path)}.writing"
    try:
        for i, frame in enumerate(frames):
            if i % every:
                continue
            frame = numpy.array(frame)
            if last is None:
                file = open(writing, "wb")  # noqa: SIM115  (closed below)
                left, top, part = 0, 0, frame
            elif frame.shape != last.shape:
                raise ValueError(f"expected frames of {last.shape}, got {frame.shape}.")
            else:
                left, top, part = _changed(last, frame)
            image = Image.fromarray(part).quantize(256)
            if last is None:
                file.writelines(GifImagePlugin.getheader(image, info={"loop": 0})[0])
            file.writelines(
                GifImagePlugin.getdata(
                    image,
                    (left, top),
                    duration=10 * delay(written),
                    include_color_table=True,
                )
            )
            written, last = written + 1, frame
        if file is None:
            raise ValueError("expected at least one frame, got none.")
        file.write(b";")
        file.close()
        os.replace(writing, path)
    finally:
        if file is not None:
            file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(writing)
    return written


def _changed(last, frame):
    # The smallest rectangle with all changes, or one pixel if there are none.
    rows, columns = ((last != frame).any(axis) for axis in ((1, 2), (0, 2)))
    if not rows.any():
        return 0, 0, frame[:1, :1]
    top, left = int(rows.argmax()), int(columns.argmax())
    bottom = len(rows) - int(rows[::-1].argmax())
    right = len(columns) - int(columns[::-1].argmax())
    return left, top, frame[top:bottom, left:right]
