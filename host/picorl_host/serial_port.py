"""MicroPython behind a serial port: run source, move files, reset. The only file that knows mpremote, which has no stable API."""

import ast
import binascii
import contextlib
import errno
import hashlib
import io
import re
import struct
import time
import zlib
from pathlib import PurePosixPath

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

# Seconds within which a board that is alive answers; an emulated one on a busy machine is slow.
PATIENCE = 20

# Seconds after which a board that was asked for a file or a value is stuck: erasing flash, and emulators, take their time.
_STUCK = 120

# Bytes of a file that go over at a time; a board needs some five times as much heap for them.
_CHUNK = 1024

# What the raw REPL begins with.
_RAW = b"raw REPL; CTRL-B to exit\r\n"

# Prints "('/lib/x.py', 120),". Paths of the root begin with one slash.
_LIST = """
import os
def _list(folder):
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        path = folder.rstrip("/") + "/" + name
        told = os.stat(path)
        if told[0] & 0x4000:
            _list(path)
        else:
            print((path, told[6]), end=",")
"""

# _sum(path) is ("sha256", digest), ("crc32", number), or (None, None) for firmware that knows neither.
_CHECKSUM = """
def _sum(path):
    new = crc32 = None
    try:
        from hashlib import sha256 as new
    except ImportError:
        try:
            from binascii import crc32
        except ImportError:
            pass
    piece = bytearray(512)
    view = memoryview(piece)
    total = new() if new else 0
    with open(path, "rb") as file:
        while new or crc32:
            n = file.readinto(piece)
            if not n:
                break
            if new:
                total.update(view[:n])
            else:
                total = crc32(view[:n], total)
    if new:
        return "sha256", total.digest()
    return ("crc32", total) if crc32 else (None, None)
"""


class PortError(Exception):
    """The connection does not work: no such port, taken by another program, unplugged, not a MicroPython. The message says which."""


class DeviceError(Exception):
    """A program ended with an exception. `output` is what it printed before, `traceback` the board's own words."""

    def __init__(self, output, traceback):
        super().__init__(f"{output}{traceback}")
        self.output = output
        self.traceback = traceback

    @property
    def errno(self):
        """The number of an OSError, or None. Numbers are Linux's on every board."""
        found = re.search(r"OSError: (?:\[Errno )?(\d+)|OSError: .*\b(E[A-Z]+)\b", self.traceback)
        if found is None:
            return None
        return int(found[1]) if found[1] else getattr(errno, found[2], None)


def _why_not(port, error):
    """What keeps a port from being opened: mpremote does not tell."""
    try:
        serial.serial_for_url(port, exclusive=True).close()
    except (OSError, ValueError) as found:  # serial.SerialException is an OSError
        error = found
    text = str(error)
    if "exclusively lock" in text or "Resource busy" in text:
        return f"{port} is busy: another program (mpremote, Thonny, a terminal) has it open"
    if "Permission denied" in text:
        return f"{port}: permission denied; on Debian your user must be in the group dialout"
    if "No such file" in text or "could not open port" in text:
        return f"there is no port {port}: is the board plugged in? `mpremote connect list` shows the ports"
    return f"cannot open {port}: {text}"


def listen(port, on_output, restart=False, baudrate=115200):
    """Hand on what arrives at port, in pieces of bytes, until an exception ends it; nothing is sent, so a program there goes on running.

    restart: begin with a soft reset, after which a board runs its main.py, or code.py, from the start. Raises PortError when the port cannot
    be opened or is gone.
    """
    try:
        line = serial.serial_for_url(port, baudrate=baudrate, timeout=0.2, exclusive=True)
    except (OSError, ValueError) as error:
        raise PortError(_why_not(port, error)) from None
    try:
        with line:
            if restart:
                for keys in (b"\r\x03\x03", b"\x02"):  # stop what runs; leave the raw REPL
                    line.write(keys)
                    while line.read(1024):
                        pass
                line.write(b"\x04")
            while True:
                received = line.read(line.in_waiting or 1)
                if received:
                    on_output(received)
    except OSError as error:
        raise PortError(f"lost the connection to {port} ({error})") from None


class Device:
    """An open connection to the board at `port` (/dev/ttyACM0, COM3, /dev/pts/5, socket://host:port), in MicroPython's raw REPL.

    reset=True begins with a soft reset: an empty heap, and nothing imported. A running program is interrupted in any case.
    """

    def __init__(self, port, baudrate=115200, reset=False):
        self.port = port
        try:
            self._transport = SerialTransport(port, baudrate, timeout=PATIENCE)
        except (TransportError, OSError, ValueError) as error:
            raise PortError(_why_not(port, error)) from None
        try:
            self._enter(reset)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    READ_ONLY = "its file system is read-only (a CircuitPython gives it to the computer that has its drive: --drive)"

    def close(self):
        """Leave the board at its friendly prompt, as another program expects it."""
        with contextlib.suppress(OSError, TransportError):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        with contextlib.suppress(OSError):
            self._transport.close()

    @contextlib.contextmanager
    def _errors(self):
        """mpremote's and pyserial's exceptions become ours."""
        try:
            yield
        except TransportExecError as error:
            raise DeviceError("", error.error_output) from None
        except TransportError as error:
            raise PortError(f"{self.port} does not answer as MicroPython does ({error})") from None
        except TimeoutError:
            raise
        except struct.error:
            # mpremote reads two bytes of a board that says nothing any more.
            raise PortError(f"{self.port} fell silent") from None
        except OSError as error:
            # serial.SerialException too: what was there is gone.
            raise PortError(f"lost the connection to {self.port} ({error})") from None

    def _enter(self, reset):
        told = io.StringIO()  # mpremote prints what it did not expect
        with self._errors(), contextlib.redirect_stdout(told):
            try:
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=PATIENCE)
            except TransportError:
                if "REPL" not in told.getvalue():
                    raise
                # CircuitPython, when its program has been stopped, waits for any key before there is a prompt.
                self._transport.enter_raw_repl(soft_reset=False, timeout_overall=PATIENCE)
            if reset:
                # mpremote would wait for "soft reboot", which CircuitPython says in many languages.
                self._transport.read_until(1, b">", timeout_overall=PATIENCE)
                self._transport.serial.write(b"\x04")
                received = self._transport.read_until(1, _RAW, timeout_overall=PATIENCE)
                if not received.endswith(_RAW):
                    raise TransportError("no soft reset")

    def soft_reset(self):
        """Give up all objects and modules; files stay."""
        self._enter(True)

    def restart(self):
        """Soft reset into the board's own program (main.py, code.py), and leave it to that."""
        with self._errors():
            self._transport.exit_raw_repl()
            self._transport.serial.write(b"\x04")

    def exec(self, source, on_output=None, timeout=None):
        """Run source and return what it printed. on_output gets the bytes as they come; timeout is for the whole run, in seconds.

        Raises DeviceError when it ends with an exception, TimeoutError (the program is interrupted) when it takes longer.
        Ctrl-C here interrupts the program there, then raises KeyboardInterrupt.
        """
        with self._errors():
            self._transport.exec_raw_no_follow(source)
            try:
                output = self._read_to_eof(on_output, timeout)
                traceback = self._read_to_eof(None, PATIENCE)
            except (KeyboardInterrupt, TimeoutError):
                self._interrupt()
                raise
        if traceback:
            raise DeviceError(output.decode(errors="replace"), traceback.decode(errors="replace"))
        return output.decode(errors="replace")

    def _read_to_eof(self, on_output, timeout):
        """Bytes up to the \\x04 with which MicroPython ends a stream."""
        port = self._transport.serial
        port.timeout = 0.2
        deadline = None if timeout is None else time.monotonic() + timeout
        received, told = bytearray(), 0
        try:
            while True:
                new = port.read(1)  # never more: mpremote reads on where we stop
                end = new == b"\x04"
                if not end:
                    received += new
                if on_output and len(received) > told and (end or new in (b"", b"\n")):
                    on_output(bytes(received[told:]))
                    told = len(received)
                if end:
                    return bytes(received)
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError(f"{self.port}: no end after {timeout} s; so far:\n{bytes(received)!r}")
        finally:
            port.timeout = PATIENCE

    def _interrupt(self):
        """Stop a program with Ctrl-C; the rest of its output is dropped."""
        with contextlib.suppress(TimeoutError):
            self._transport.serial.write(b"\x03")
            self._read_to_eof(None, PATIENCE)
            self._read_to_eof(None, PATIENCE)

    def ask(self, source):
        """As exec, for what every board does in moments: a board that does not raises PortError."""
        try:
            return self.exec(source, timeout=_STUCK)
        except TimeoutError:
            raise PortError(f"{self.port} did not answer for {_STUCK} s") from None

    def eval(self, expression):
        """The value of a Python expression there, if it is a literal."""
        return ast.literal_eval(self.ask(f"print(repr({expression}))").strip())

    def put(self, path, content, on_progress=None, chunk=_CHUNK):
        """Write bytes to a file there, chunk at a time; on_progress(written, total) is called after each."""
        self.ask(f"from binascii import a2b_base64 as _a\n_f = open({path!r}, 'wb')\n_w = _f.write")
        for start in range(0, len(content), chunk):
            piece = content[start : start + chunk]
            self.ask(f"_w(_a({binascii.b2a_base64(piece, newline=False)!r}))")
            if on_progress:
                on_progress(start + len(piece), len(content))
        self.ask("_f.close()\ndel _a, _f, _w")

    def get(self, path):
        """The bytes of a file there."""
        self.ask(f"_f = open({path!r}, 'rb')")
        content = bytearray()
        while piece := self.eval(f"_f.read({_CHUNK})"):
            content += piece
        self.ask("_f.close()\ndel _f")
        return bytes(content)

    def files(self, folder):
        """{path: bytes} of all files in a folder and below; nothing when there is no such folder."""
        return dict(ast.literal_eval(f"[{self.ask(_LIST + f'_list({folder!r})')}]"))

    def exists(self, path):
        """Whether there is a file or a folder of this name."""
        return self._tried("ENOENT", f"import os\nos.stat({path!r})")

    def space(self, folder):
        """(bytes of a block, free blocks); None when the file system does not tell."""
        try:
            block, _, total, free, *_ = self.eval(f"__import__('os').statvfs({folder!r})")
        except DeviceError:
            return None
        return (block, free) if total else None

    def removal(self, path):
        """What to type to be rid of a file or folder."""
        return f"`mpremote connect {self.port} resume rm -r :{path}`"

    def mkdir(self, path):
        """Make a folder, and those above it, where they are missing."""
        for folder in (*reversed(PurePosixPath(path).parents), path):
            if str(folder) not in ("/", "."):
                self._tried("EEXIST", f"import os\nos.mkdir({str(folder)!r})")

    def remove(self, path):
        """Remove a file; it may be gone already."""
        self._tried("ENOENT", f"import os\nos.remove({path!r})")

    def rename(self, old, new):
        """Give a file another name; a file that has it already is replaced."""
        self.ask(f"import os\nos.rename({old!r}, {new!r})")

    def _tried(self, harmless, source):
        """Run source; False when it ends with this OSError."""
        try:
            self.ask(source)
        except DeviceError as error:
            if error.errno != getattr(errno, harmless):
                raise
            return False
        return True

    def holds(self, path, content):
        """Whether the file has this content, by a checksum that is computed there where the firmware can."""
        try:
            kind, found = ast.literal_eval(self.ask(_CHECKSUM + f"print(_sum({path!r}))\ndel _sum"))
        except DeviceError as error:
            if error.errno == errno.ENOENT:
                return False
            raise
        if kind == "sha256":
            return found == hashlib.sha256(content).digest()
        if kind == "crc32":
            return found == zlib.crc32(content)
        return self.get(path) == content
