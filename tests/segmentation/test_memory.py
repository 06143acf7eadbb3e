"""Tests of memory.py: what Linux and a container's limit tell, on files written by hand."""

import os
import sys

from segmentation import memory


def test_large_images_go_through_a_network_one_by_one():
    assert memory.count_at_once((128, 160), 16) == 16
    assert memory.count_at_once((256, 320), 16) == 2**20 // (256 * 320)
    assert memory.count_at_once((1024, 1024), 16) == memory.count_at_once((2048, 2048), 8) == 1


def test_a_containers_limit_counts_where_it_is_less(tmp_path, monkeypatch):
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
    monkeypatch.setattr(os, "sysconf", lambda name: page, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    meminfo, own, limit = (tmp_path / name for name in ("meminfo", "statm", "memory.max"))
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:  4000 kB\nSwapFree:  1000 kB\n")
    own.write_text("900 10 5 1 0 100 0")
    monkeypatch.setattr(memory, "MEMINFO_FILE", meminfo)
    monkeypatch.setattr(memory, "OWN_SIZE_FILE", own)
    monkeypatch.setattr(memory, "LIMIT_FILES", (limit, tmp_path / "absent"))
    free = 5000 * 1024 + 10 * page
    assert memory.find_available_memory() == free
    limit.write_text("max\n")
    assert memory.find_available_memory() == free
    limit.write_text("2000000\n")
    assert memory.find_available_memory() == 2_000_000
    meminfo.write_text("MemTotal:  9000 kB\n")  # a kernel before 3.14
    assert memory.find_available_memory() is None


def test_this_machine_tells_a_plausible_number():
    assert 10**8 < memory.find_available_memory() < 10**14
