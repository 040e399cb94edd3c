#!/usr/bin/env python3
"""Make the bindings from the tables in kernels/: python3 native_modules/generate.py [--out DIR]

Writes, into native_modules/generated unless told otherwise and only where something has changed:

    kernels.h       the kernels' prototypes
    signatures.h    what their arguments must be, for core/check.h
    user_module.c   the module `_picorl` for MicroPython firmware
    natmod.c        the same as a native .mpy module
    cpython.c       the same as an extension module of CPython
    _picorl.pyi     its functions, for people and type checkers

What does not depend on the table is in templates/. Standard library only: firmware builds run this.
"""

import argparse
import ast
import os
import re
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import kernels  # noqa: E402
from kernels import AnyBuffer, Buffer, Int, Layout  # noqa: E402

SHAPE = ("n_params", "n_in", "n_out", "n_hidden")
C_TYPES = {"f": "float", "i": "int32_t", "I": "uint32_t", "B": "uint8_t"}
C_KINDS = {"f": "PICORL_FLOATS", "i": "PICORL_INT32S", "I": "PICORL_UINT32S", "B": "PICORL_BYTES"}
UNITS = {"f": "float32", "i": "int32", "I": "uint32", "B": "bytes"}
EVERYTHING = (*kernels.ALGORITHMS, *kernels.ENVIRONMENTS, kernels.WRAPPERS, *kernels.LAYERS)
MARK = "made by native_modules/generate.py from kernels/: changes made here are lost"

# Functions of the module that are not kernels: parameters, result, what they do.
EXTRAS = {
    "variants": ((), "tuple[str, ...]", "The variants of the kernels that this CPU can run, the best one first."),
    "variant": ((), "str", "The variant in use."),
    "select": (("name",), "None", "Use the variant of that name from now on. ValueError names the choices."),
    "fused": ((), "bool", "Whether the variant in use rounds multiply-adds once (README.md: the two classes)."),
}


class TableError(Exception):
    """kernels/ holds something that the bindings cannot express."""


# --- the table, seen from C -------------------------------------------------------------------------------------------


def ints_of(kernel):
    return [a for a in kernel.args if isinstance(a, Int)]


def buffers_of(kernel):
    return [a for a in kernel.args if not isinstance(a, Int)]


def parameters(kernel):
    """The C parameters of a kernel: its arguments in order, as (type, name)."""
    for a in kernel.args:
        if isinstance(a, Int):
            yield "uint32_t ", a.name
        elif isinstance(a, Layout):
            yield "const int32_t *", a.name
            yield "uint32_t ", "layers"
        elif isinstance(a, AnyBuffer):
            yield "const uint8_t *", a.name
            yield "uint32_t ", f"{a.name}_size"
        else:
            yield ("" if a.writes else "const ") + C_TYPES[a.typecode] + " *", a.name


def values(kernel):
    """What a binding passes for them out of its picorl_call, by member."""
    p = n = 0
    for a in kernel.args:
        if isinstance(a, Int):
            yield f"n[{n}]"
            n += 1
            continue
        yield f"p[{p}]"
        p += 1
        if isinstance(a, Layout):
            yield "layers"
        elif isinstance(a, AnyBuffer):
            yield "bytes"


def size_tokens(kernel, size):
    """A size as the tokens that core/check.h evaluates: only +, *, numbers below 128, names, one level of parentheses."""
    integers = [a.name for a in ints_of(kernel)]
    used = {node.id for node in ast.walk(ast.parse(size, mode="eval")) if isinstance(node, ast.Name)}
    if unknown := used - set(SHAPE) - set(integers):
        raise TableError(f"{kernel.name}: size {size!r} uses {', '.join(sorted(unknown))}, which no argument gives")
    if used & set(SHAPE) and not any(isinstance(a, Layout) for a in kernel.args):
        raise TableError(f"{kernel.name}: size {size!r} needs a Layout argument")
    depth = 0
    for word in re.findall(r"\w+|\S", size):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if not re.match(r"[\w+*()]", word) or depth > 1 or (word.isdigit() and int(word) > 127):
            raise TableError(f"{kernel.name}: size {size!r}: {word!r} is more than core/check.h evaluates")
        if word in SHAPE:
            yield f"PICORL_{word.upper()}"
        elif word.isdigit():
            yield f"PICORL_NUMBER | {word}"
        elif word in integers:
            yield str(integers.index(word))
        else:
            yield f"'{word}'"


@dataclass(frozen=True)
class Build:
    """What a build can."""

    kernels: tuple
    layers: frozenset  # of kernels.LAYERS


def build_for(names):
    """That for these algorithms, and what is named with them: environments, wrappers, layers. Nothing named: everything."""
    if unknown := set(names) - set(EVERYTHING):
        raise TableError(f"algorithms: {', '.join(sorted(unknown))}, must be of {', '.join(EVERYTHING)}")
    names = set(names or EVERYTHING)
    layers = {name for name, layers in kernels.LAYERS.items() if name in names or set(layers.of) & names}
    chosen = tuple(kernel for kernel in kernels.KERNELS if set(kernel.of) & names)
    return Build(chosen, frozenset(layers))


def linkage(chosen):
    """A kernel that is left out becomes a static function that nobody calls: compilers drop it with all that it alone uses."""
    left_out = [kernel for kernel in kernels.KERNELS if kernel not in chosen]
    return "\n".join(
        [f"#define PICORL_LINKAGE_{kernel.name}" for kernel in chosen]
        + [f"#define PICORL_LINKAGE_{kernel.name} static __attribute__((unused))" for kernel in left_out]
    )


def check_table():
    names = [kernel.name for kernel in kernels.KERNELS]
    if len(set(names)) != len(names):
        raise TableError("a kernel is declared twice")
    for kernel in kernels.KERNELS:
        arguments = [a.name for a in kernel.args]
        if len(set(arguments)) != len(arguments):
            raise TableError(f"{kernel.name}: two arguments have the same name")
        if len(arguments) > 16:
            raise TableError(f"{kernel.name}: has {len(arguments)} arguments, at most 16 fit a signature")
        if kernel.returns not in ("none", "int"):
            raise TableError(f"{kernel.name}: returns {kernel.returns!r}, must be 'none' or 'int'")
        if any(not 0 <= a.least <= 15 for a in ints_of(kernel)):
            raise TableError(f"{kernel.name}: a lower bound must be 0 to 15")
        if any(isinstance(a, Layout) for a in kernel.args[1:]):
            raise TableError(f"{kernel.name}: a Layout must come first, the other sizes need it")


def all_names(chosen):
    """Kernels' and arguments' names, each once; a signature refers to them by number."""
    names = dict.fromkeys(kernel.name for kernel in chosen)
    names.update(dict.fromkeys(a.name for kernel in chosen for a in kernel.args))
    if len(names) > 256:
        raise TableError("more than 256 different names")
    return list(names)


# --- headers ----------------------------------------------------------------------------------------------------------


def wrapped(text, indent="    "):
    return textwrap.fill(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def result_of(kernel):
    return "int32_t" if kernel.returns == "int" else "void"


def parameter_list(kernel):
    return ", ".join(kind + name for kind, name in parameters(kernel))


def defines(values):
    return "\n".join(f"#define PICORL_{name} {value}" for name, value in values.items())


def agreement():
    """C that compiles only when the constants in core/picorl.h are those of the table."""
    state = {name: index for name, index in kernels.REPLAY_STATE.items() if name != "spare"}
    activations = {**kernels.ACTIVATIONS, **kernels.INPUT_ACTIVATIONS}
    expected = {**kernels.KINDS, **activations, **state, "record": kernels.RECORD}
    equal = " && ".join(f"PICORL_{name.upper()} == {value}" for name, value in expected.items())
    return wrapped(f"typedef char picorl_constants_agree[{equal} ? 1 : -1];")


def kernels_h(build):
    chosen = build.kernels
    prototypes = [wrapped(f"{result_of(k)} picorl_{k.name}({parameter_list(k)});") for k in chosen]
    members = [wrapped(f"    {result_of(k)} (*{k.name})({parameter_list(k)});", " " * 8) for k in chosen]
    constants = {"ABI": kernels.ABI, "MAX_INT": f"0x{kernels.MAX_INT:08x} // of an integer argument"}
    constants |= {f"WITH_{name.upper()}": int(name in build.layers) for name in kernels.LAYERS}
    return fill(
        "kernels.h",
        CONSTANTS=defines(constants),
        PROTOTYPES="\n".join(prototypes),
        TABLE="\n".join(["typedef struct picorl_table {", *members, "} picorl_table;"]),
        LINKAGE=linkage(chosen),
        EACH=" \\\n".join(["#define PICORL_EACH_KERNEL(X)", *(f"    X({k.name})" for k in chosen)]),
    )


def name_id(name):
    return f"PICORL_NAME_{name}"


def signature(kernel):
    """The rows of a kernel's signature, as C text."""
    position = {a.name: i for i, a in enumerate(kernel.args)}
    yield f"{name_id(kernel.name)}, {len(ints_of(kernel))},"
    for a in ints_of(kernel):
        yield f"{position[a.name]} | PICORL_LEAST * {a.least}, {name_id(a.name)},"
    yield f"{len(buffers_of(kernel))},"
    for a in buffers_of(kernel):
        typecode, tokens = "B", []
        if isinstance(a, Layout):
            typecode = "i"
        elif isinstance(a, Buffer):
            typecode, tokens = a.typecode, list(size_tokens(kernel, a.size))
        flags = f"{position[a.name]} | PICORL_TYPE * {C_KINDS[typecode]}"
        if isinstance(a, Buffer):
            flags += " | PICORL_WRITES" * a.writes + " | PICORL_OPTIONAL" * a.optional
        yield ", ".join([flags, name_id(a.name), str(len(tokens)), *tokens]) + ","


def signatures_h(chosen):
    names = all_names(chosen)
    arrays = []
    for kernel in chosen:
        rows = "\n".join(wrapped(f"    {row}", " " * 8) for row in signature(kernel))
        arrays.append(f"static const uint8_t signature_{kernel.name}[] = {{\n{rows}\n}};")
    limits = {
        "LEAST_KIND": min(kernels.KINDS.values()),
        "MOST_KIND": max(kernels.KINDS.values()),
        "MOST_ACTIVATION": max(kernels.ACTIVATIONS.values()),
        "LEAST_INPUT_ACTIVATION": min(kernels.INPUT_ACTIVATIONS.values()),
        "MOST_INPUT_ACTIVATION": max(kernels.INPUT_ACTIVATIONS.values()),
        "MAX_INTS": max(len(ints_of(k)) for k in chosen),
        "MAX_BUFFERS": max(len(buffers_of(k)) for k in chosen),
    }
    return fill(
        "signatures.h",
        CONSTANTS=defines(limits),
        AGREE=agreement(),
        NAMES="\n".join(["static const char picorl_names[] =", *(f'    "{name}\\0"' for name in names)]) + ";",
        IDS="\n".join(["enum {", *(f"    {name_id(name)}," for name in names), "};"]),
        SIGNATURES="\n\n".join(arrays),
    )


# --- MicroPython ------------------------------------------------------------------------------------------------------


def call(kernel, where):
    """The C statement that calls a kernel with what a picorl_call holds."""
    result = "int32_t result = " if kernel.returns == "int" else ""
    arguments = ", ".join(where + value for value in values(kernel))
    return wrapped(f"    {result}PICORL_CALL({kernel.name})({arguments});", " " * 8)


def contents_function(kernel):
    """The C function that looks into the buffers of a kernel, for picorl_take."""
    arguments = ", ".join(["error", *(f"call->{value}" for value in values(kernel))])
    return "\n".join(
        [
            f"static int contents_{kernel.name}(picorl_error *error, const picorl_call *call) {{",
            wrapped(f"    return picorl_check_{kernel.name}({arguments});", " " * 8),
            "}",
        ]
    )


def contents(chosen):
    return "\n\n".join(contents_function(kernel) for kernel in chosen if kernel.check)


def take(kernel):
    """The C call that checks a kernel's arguments, up to them."""
    check = f"contents_{kernel.name}" if kernel.check else "NULL"
    return f"picorl_take_or_raise(signature_{kernel.name}, {check}, args"


def micropython_function(kernel):
    lines = [f"static mp_obj_t py_{kernel.name}(size_t n_args, const mp_obj_t *args) {{", "    picorl_call call;"]
    none = "" if kernel.returns == "int" else "mp_obj_t none = "
    lines.append(f"    {none}{take(kernel)}, &call);")
    lines.append(call(kernel, "call."))
    lines.append("    return MP_OBJ_NEW_SMALL_INT(result);" if kernel.returns == "int" else "    return none;")
    count = len(kernel.args)
    lines += ["}", "static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN("]
    lines[-1] += f"py_{kernel.name}_obj, {count}, {count}, py_{kernel.name});"
    return "\n".join(lines)


def module_names(chosen):
    return [*(kernel.name for kernel in chosen), *EXTRAS]


def micropython(chosen):
    return fill(
        "micropython.inc",
        CONTENTS=contents(chosen),
        KERNELS="\n\n".join(map(micropython_function, chosen)),
    )


def user_module_c(chosen):
    rows = [f"    {{ MP_ROM_QSTR(MP_QSTR_{name}), MP_ROM_PTR(&py_{name}_obj) }}," for name in module_names(chosen)]
    for name in ("ABI", "RECORD"):
        rows.append(f"    {{ MP_ROM_QSTR(MP_QSTR_{name}), MP_ROM_INT(PICORL_{name}) }},")
    return fill("user_module.c", MICROPYTHON=micropython(chosen), GLOBALS="\n".join(rows))


def natmod_c(chosen):
    rows = ["    mp_store_global(MP_QSTR___name__, MP_OBJ_NEW_QSTR(MP_QSTR__picorl));"]
    rows += [f"    mp_store_global(MP_QSTR_{name}, MP_OBJ_FROM_PTR(&py_{name}_obj));" for name in module_names(chosen)]
    for name in ("ABI", "RECORD"):
        rows.append(f"    mp_store_global(MP_QSTR_{name}, MP_OBJ_NEW_SMALL_INT(PICORL_{name}));")
    return fill("natmod.c", MICROPYTHON=micropython(chosen), GLOBALS="\n".join(rows))


# --- CPython ----------------------------------------------------------------------------------------------------------


def describe(a):
    """One line on an argument, as help() shows it."""
    if isinstance(a, Int):
        return f"{a.name}: integer, {a.least} or more"
    if isinstance(a, Layout):
        return f"{a.name}: int32, records of kind, inputs, outputs, activation"
    if isinstance(a, AnyBuffer):
        return f"{a.name}: float32, int32, uint32 or bytes"
    notes = ", written" * a.writes + ", or None" * a.optional
    return f"{a.name}: {UNITS[a.typecode]}, {a.size}{notes}"


def paragraph(text, width=100):
    return textwrap.fill(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def docstring(kernel):
    arguments = "\n".join(f"    {describe(a)}" for a in kernel.args)
    return f"{paragraph(kernel.doc)}\n\n{arguments}"


def c_string(text):
    """A C string literal of a text, a line each."""
    lines = text.replace("\\", "\\\\").replace('"', '\\"').split("\n")
    return "\n".join(f'        "{line}\\n"' for line in lines[:-1]) + f'\n        "{lines[-1]}"'


def cpython_function(kernel):
    lines = [f"static PyObject *py_{kernel.name}(PyObject *module, PyObject *const *args, Py_ssize_t count) {{"]
    lines += ["    picorl_frame frame;", f"    if (count != {len(kernel.args)}) {{"]
    lines += [f"        return picorl_wrong_count(signature_{kernel.name}, {len(kernel.args)}, count);", "    }"]
    lines += [f"    if (!{take(kernel)}, &frame)) {{", "        return NULL;", "    }"]
    lines += [call(kernel, "frame.call."), "    picorl_release(&frame);"]
    lines += ["    return PyLong_FromLong(result);" if kernel.returns == "int" else "    Py_RETURN_NONE;", "}"]
    return "\n".join(lines)


def cpython_c(chosen):
    rows = []
    for kernel in chosen:
        text = f"{kernel.name}($module, {', '.join(a.name for a in kernel.args)}, /)\n--\n\n{docstring(kernel)}"
        rows.append(
            f'    {{"{kernel.name}", (PyCFunction)(void (*)(void))py_{kernel.name}, METH_FASTCALL,\n{c_string(text)}}},'
        )
    for name, (arguments, _, doc) in EXTRAS.items():
        flag = "METH_O" if arguments else "METH_NOARGS"
        text = f"{name}({', '.join(['$module', *arguments, '/'])})\n--\n\n{doc}"
        rows.append(f'    {{"{name}", py_{name}, {flag},\n{c_string(text)}}},')
    functions = "\n\n".join(map(cpython_function, chosen))
    return fill("cpython.c", CONTENTS=contents(chosen), KERNELS=functions, METHODS="\n".join(rows))


def stub(chosen):
    def annotation(a):
        if isinstance(a, Int):
            return "int"
        return "Buffer | None" if isinstance(a, Buffer) and a.optional else "Buffer"

    lines = [f"# {MARK}", "", "from typing_extensions import Buffer", "", "ABI: int", "RECORD: int"]
    for kernel in chosen:
        arguments = ", ".join([*(f"{a.name}: {annotation(a)}" for a in kernel.args), "/"])
        result = "int" if kernel.returns == "int" else "None"
        # The arrow sticks to the parenthesis.
        head = wrapped(f"def {kernel.name}({arguments})~->~{result}:", " " * 8).replace("~", " ")
        body = textwrap.indent(f'"""{docstring(kernel)}\n"""', "    ")
        lines += ["", head, body]
    for name, (arguments, result, doc) in EXTRAS.items():
        parameters_ = ", ".join([*(f"{a}: str" for a in arguments), "/"] if arguments else [])
        lines += ["", f"def {name}({parameters_}) -> {result}:", f'    """{doc}"""']
    return "\n".join(lines) + "\n"


# --- files ------------------------------------------------------------------------------------------------------------


def fill(template, **parts):
    """The template's text, each line `// @NAME` replaced; C files say where they come from."""
    text = (HERE / "templates" / template).read_text(encoding="utf-8")
    for name, part in parts.items():
        text = re.sub(rf"(?m)^ *// @{name}$", lambda _, part=part: part, text)
    return text if template.endswith(".inc") else f"// {MARK}\n{text}"


def generate(names=()):
    """All files for a build with these algorithms, environments and layers: name -> text."""
    check_table()
    build = build_for(names)
    chosen = build.kernels
    return {
        "kernels.h": kernels_h(build),
        "signatures.h": signatures_h(chosen),
        "user_module.c": user_module_c(chosen),
        "natmod.c": natmod_c(chosen),
        "cpython.c": cpython_c(chosen),
        "_picorl.pyi": stub(chosen),
    }


def write(path, text):
    """Replace a file in one step, and only by something else: make goes by its time. Returns whether it did."""
    data = text.encode("utf-8")
    try:
        if path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return True


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE / "generated", help="where to (default: generated/ beside this)"
    )
    parser.add_argument(
        "--algorithms",
        default="",
        metavar="NAMES",
        help=f"leave out the kernels that none of these needs: of {', '.join(EVERYTHING)}, with blanks between; default: all",
    )
    chosen = parser.parse_args(arguments)
    out = chosen.out
    try:
        files = generate(chosen.algorithms.split())
    except TableError as error:
        sys.exit(f"generate.py: {error}")
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if write(out / name, text):
            print(f"wrote {out / name}")


if __name__ == "__main__":
    main()
