"""Run a program of the benchmarks on an emulated board; it prints its result as one record."""

import json
from pathlib import Path

from .. import board_run, boards, emulator, runner, serial_port


def with_options(board, *more):
    """The same board, its emulator started with more options."""
    how = board.data["emulate"]
    return boards.Board(board.name, {**board.data, "emulate": {**how, "command": [*how["command"], *more]}})


def put_library(port, files):
    """Write files, {path: bytes}, to the board's /lib."""
    folders = {"/lib"} | {f"/lib/{Path(name).parent}" for name in files}
    with serial_port.Device(port) as device:
        device.exec("import os\nfor f in %r:\n try: os.mkdir(f)\n except OSError: pass" % sorted(folders))
        for name, content in files.items():
            device.put(f"/lib/{name}", content)


def run(board, program, config, options=(), heap=None, firmware=None, library=None):
    """The record that a program prints which is given config; options are for the emulator, heap is in bytes, library are files for /lib."""
    records = []
    try:
        with emulator.Emulator(with_options(board, *options), heap=heap, firmware=firmware) as running:
            if library:
                put_library(running.port, library)
            board_run.run(running.port, program, (json.dumps(config),), lambda record, line: records.append(record))
    except emulator.EmulatorError as error:
        raise runner.Problem(str(error)) from None
    except serial_port.DeviceError as error:
        raise runner.Problem(f"{program.name} on {board.name}, {config}:\n{error.traceback.strip()}") from None
    if not records:
        raise runner.Problem(f"{program.name} ended without a result on {board.name}")
    return records[-1]
