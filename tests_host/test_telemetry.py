"""Records with checksums: what picorl.telemetry prints, and what the desktop takes for one."""

import json
import math
import zlib
from array import array

import pytest

import picorl
from picorl_host import board_run, telemetry


def test_a_report_is_read_back(capsys):
    picorl.report("end", crc="00ff00ff", **{"return": -145.25}, note='µ " \\')
    line = capsys.readouterr().out
    assert telemetry.parse(line) == {"event": "end", "crc": "00ff00ff", "return": -145.25, "note": 'µ " \\'}
    assert json.loads(line)["check"] and not telemetry.damaged(line)


def test_a_report_may_not_be_called_check():
    with pytest.raises(ValueError, match="report: check is the line's checksum"):
        picorl.report("end", check=1)


def test_telemetry_fields_are_read_back(capsys):
    sent = picorl.Telemetry("tick", ints=("step", "updates"), floats=("reward", "q", "lost"))
    for step in range(3):
        sent.ints[0], sent.ints[1] = step, -(2**31)
        sent.floats[0], sent.floats[1], sent.floats[2] = -0.1 * step, 1e-20, math.nan
        sent.send()
    lines = capsys.readouterr().out.splitlines()
    assert len({len(line) for line in lines}) == 1
    for step, line in enumerate(lines):
        record = telemetry.parse(line)
        assert list(record) == ["event", "step", "updates", "reward", "q", "lost"]
        assert record["event"] == "tick" and record["lost"] is None
        assert (record["step"], record["updates"]) == (step, -(2**31))
        assert array("f", (record["reward"], record["q"])) == sent.floats[:2] or array(
            "f", (record["reward"], record["q"])
        ) == array("f", (-0.1 * step, 1e-20))


def test_a_writer_of_ones_own_gets_the_line():
    lines = []
    sent = picorl.Telemetry("tick", ("step",), write=lambda line: lines.append(bytes(line)))
    sent.send()
    body = b'{"event":"tick","step":          0'
    assert lines == [body + b',"check":"%08x"}\n' % zlib.crc32(body)]


@pytest.mark.parametrize(
    ("ints", "floats", "message"),
    [
        (("step",), ("step",), "'step' is there already"),
        (("check",), (), "'check' is there already"),
        (("event",), (), "'event' is there already"),
        (('a"b',), (), "cannot be a name"),
        ((), ("a\\b",), "cannot be a name"),
        ((), ("",), "cannot be a name"),
        ((), (3,), "cannot be a name"),
        (("a\nb",), (), "cannot be a name"),
    ],
)
def test_bad_names_are_refused(ints, floats, message):
    with pytest.raises(ValueError, match=message):
        picorl.Telemetry("tick", ints, floats)


def test_any_changed_or_lost_byte_makes_no_record(capsys):
    picorl.report("progress", step=1200, note="abc")
    line = capsys.readouterr().out.rstrip()
    for i in range(len(line)):
        for changed in (line[:i] + line[i + 1 :], line[:i] + chr(ord(line[i]) ^ 1) + line[i + 1 :]):
            found = telemetry.parse(changed)
            # Where the word "check" itself is hit nothing says that there was a checksum.
            assert found is None or "check" not in changed, changed
    assert telemetry.damaged(line.replace("1200", "1201"))


@pytest.mark.parametrize("text", ["hello", "", "{}", '{"event": 3}', '{"event": "x"', '["event"]'])
def test_other_output_is_not_damaged_telemetry(text):
    assert telemetry.parse(text) is None and not telemetry.damaged(text)


def test_what_arrives_in_pieces_is_put_together_and_damage_is_counted(capsys):
    picorl.report("progress", step=1)
    good = capsys.readouterr().out
    bad = good.replace('"step": 1', '"step": 7')
    records, text = [], []
    lines = board_run.Lines(lambda record, line: records.append(record), text.append)
    for byte in (f"half{good}{good}user text\r\n{bad}{good}tail").encode():
        lines.feed(bytes([byte]))
    lines.feed(b"", final=True)
    # The first stands behind half a line of another output: it is part of that line.
    assert records == [{"step": 1, "event": "progress"}] * 2
    assert "".join(text) == f"half{good}user text\n{bad}tail"
    assert lines.damaged == 1
