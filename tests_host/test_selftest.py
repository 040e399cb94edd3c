"""selftest() tells what runs here, and knows a wrong result from a right one."""

import pytest

import picorl
from picorl import diagnosis


@pytest.fixture
def variants():
    if picorl.kernels.name != "_picorl":
        pytest.fail("the C kernels are not there")
    before = picorl.kernels.backend.variant()
    yield picorl.kernels.backend.variants()
    picorl.kernels.backend.select(before)


def test_every_variant_trains_to_the_golden_bits(variants, capsys):
    for variant in variants:
        picorl.kernels.backend.select(variant)
        assert picorl.selftest() is True
        text = capsys.readouterr().out
        assert f"kernels _picorl ({variant})" in text
        assert text.rstrip().endswith("passed")
        assert "million multiply-adds a second" in text


def test_a_wrong_result_is_told(variants, capsys, monkeypatch):
    monkeypatch.setattr(diagnosis, "GOLDEN", {True: "12345678", False: "12345678"})
    assert picorl.selftest() is False
    assert capsys.readouterr().out.rstrip().endswith("FAILED")


def test_other_kernels_have_no_golden_result(capsys):
    before = picorl.kernels.name
    picorl.kernels.select("python")
    try:
        assert picorl.selftest() is True
    finally:
        picorl.kernels.select(before)
    assert "only C kernels have a golden result" in capsys.readouterr().out
