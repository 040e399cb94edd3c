# What sys has in MicroPython and in CircuitPython. The official stubs of the standard library have most of CPython's.

from typing import Any, NoReturn

argv: list[str]
byteorder: str
implementation: Any
maxsize: int
modules: dict[str, Any]
path: list[str]
platform: str
stderr: Any
stdin: Any
stdout: Any
version: str
version_info: tuple[int, int, int]

def exit(retval: object = ..., /) -> NoReturn: ...
