import errno
import os

import numpy as np
import pytest

from stom_ray.errors import StoreError
from stom_ray.store import disk
from stom_ray.store.disk import BLOCK, STAGING, Sink, write_atomically


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize(
    "sizes", [[], [0], [1], [BLOCK], [BLOCK - 1, 1, 1], [STAGING], [STAGING - 3, 7, STAGING * 2 + 5], [3] * 50]
)
def test_file_has_exactly_what_was_written(tmp_path, monkeypatch, sizes, direct):
    if not direct:
        refuse_direct_writes(monkeypatch)
    rng = np.random.default_rng(1)
    parts = [rng.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    with Sink(tmp_path / "file") as sink:
        for part in parts:
            assert sink.write(part) == len(part)
        assert sink.tell() == sum(sizes)
    assert (tmp_path / "file").read_bytes() == b"".join(part.tobytes() for part in parts)


def refuse_direct_writes(monkeypatch):
    """A file system like some network ones."""
    real = os.open

    def opened(path, flags, *mode):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(path, flags, *mode)

    monkeypatch.setattr(disk.os, "open", opened)


def test_second_file_of_a_thread_has_nothing_of_the_first(tmp_path):
    for content in (b"a" * 9_000, b"b" * 10):
        with Sink(tmp_path / "file") as sink:
            sink.write(content)
        assert (tmp_path / "file").read_bytes() == content


def test_file_that_cannot_be_filled_leaves_the_old_one_and_no_temporary(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fill(temporary):
        with Sink(temporary) as sink:
            sink.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StoreError, match=r"No space left on device.*make room"):
        write_atomically(path, fill)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"
