"""The bindings that native_modules/generate.py makes from the table of kernels."""

import ast
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from array import array
from pathlib import Path

import generate
import kernels as table
import pytest
from conftest import MODULES
from kernel_cases import Random, make

SCRIPT = Path(generate.__file__)
FILES = {"kernels.h", "signatures.h", "user_module.c", "natmod.c", "cpython.c", "_picorl.pyi"}
NAMES = [kernel.name for kernel in table.KERNELS]
EXTRAS = ["variants", "variant", "select", "fused"]

compiled = pytest.mark.skipif(MODULES["_picorl"] is None, reason="no C kernels here")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("generated") / "made" / "here"
    generate.main(["--out", str(out)])
    return out


def test_generation_is_deterministic(made, tmp_path):
    assert set(contents(made)) == FILES
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C"}
        out = tmp_path / seed
        subprocess.run([sys.executable, SCRIPT, "--out", out], check=True, env=environment, cwd="/")
        assert contents(out) == contents(made)


def test_what_has_not_changed_is_left_alone(made, capsys):
    times = {}
    for path in made.iterdir():
        os.utime(path, (1, 1))
        times[path.name] = path.stat().st_mtime_ns
    (made / "natmod.c").write_text("an older one")
    generate.main(["--out", str(made)])
    assert {path.name for path in made.iterdir() if path.stat().st_mtime_ns != times[path.name]} == {"natmod.c"}
    assert capsys.readouterr().out == f"wrote {made / 'natmod.c'}\n"
    assert set(contents(made)) == FILES  # no temporary files


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "kernels.h"
    target.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        generate.write(target, "new")
    assert contents(tmp_path) == {"kernels.h": b"old"}


@pytest.mark.parametrize("name", [*NAMES, *EXTRAS])
def test_every_function_is_in_all_bindings(made, name):
    assert f"{{MP_ROM_QSTR(MP_QSTR_{name}), " in (made / "user_module.c").read_text().replace("{ ", "{")
    assert f"mp_store_global(MP_QSTR_{name}, " in (made / "natmod.c").read_text()
    assert f'{{"{name}", ' in (made / "cpython.c").read_text()
    assert f"\ndef {name}(" in (made / "_picorl.pyi").read_text()


@pytest.mark.parametrize("kernel", table.KERNELS, ids=NAMES)
def test_every_kernel_has_prototype_and_signature(made, kernel):
    result = "int32_t" if kernel.returns == "int" else "void"
    header = (made / "kernels.h").read_text()
    assert re.search(rf"^{result} picorl_{kernel.name}\(", header, re.M)
    assert re.search(rf"^    {result} \(\*{kernel.name}\)\(", header, re.M)
    assert f"signature_{kernel.name}[] = {{" in (made / "signatures.h").read_text()
    for binding in ("user_module.c", "natmod.c", "cpython.c"):
        text = (made / binding).read_text()
        assert f"PICORL_CALL({kernel.name})(" in text
        assert (f"picorl_check_{kernel.name}(" in text) == kernel.check


def test_nothing_is_left_to_fill_in(made):
    for name, text in contents(made).items():
        assert b"// @" not in text, name
        assert text.startswith((b"// made by native_modules/generate.py", b"# made by native_modules/generate.py")), (
            name
        )


def test_abi(made):
    assert f"#define PICORL_ABI {table.ABI}\n" in (made / "kernels.h").read_text()
    for binding in ("user_module.c", "natmod.c", "cpython.c"):
        assert "PICORL_ABI" in (made / binding).read_text()


def test_stub_has_the_table_s_parameters(made):
    functions = {
        f.name: f for f in ast.parse((made / "_picorl.pyi").read_text()).body if isinstance(f, ast.FunctionDef)
    }
    for kernel in table.KERNELS:
        found = functions[kernel.name]
        assert [a.arg for a in found.args.posonlyargs] == [a.name for a in kernel.args]
        assert ast.get_docstring(found)
        assert ast.unparse(found.returns) == ("int" if kernel.returns == "int" else "None")


@pytest.mark.parametrize(
    "size, complaint",
    [
        ("count * width", "uses width"),
        ("n_params", "needs a Layout"),
        ("count - 1", "'-' is more than"),
        ("count // 2", "'/' is more than"),
        ("((count + 1) * 2) * count", r"'\(' is more than"),
        ("count * 128", "'128' is more than"),
    ],
)
def test_a_size_that_the_bindings_cannot_evaluate_is_refused(monkeypatch, size, complaint):
    bad = table.Kernel("bad", "Bad.", (table.F("x", size), table.Int("count")))
    monkeypatch.setattr(table, "KERNELS", (bad,))
    with pytest.raises(generate.TableError, match=f"^bad: size {re.escape(repr(size))}.*{complaint}"):
        generate.generate()


@compiled
@pytest.mark.parametrize("kernel", table.KERNELS, ids=NAMES)
def test_help_shows_the_arguments(kernel):
    function = getattr(MODULES["_picorl"], kernel.name)
    assert list(inspect.signature(function).parameters) == [a.name for a in kernel.args]
    text = function.__doc__
    assert " ".join(kernel.doc.split())[:60] in " ".join(text.split())
    for a in kernel.args:
        assert f"    {a.name}: " in text


@compiled
@pytest.mark.parametrize("kernel", table.KERNELS, ids=NAMES)
def test_no_buffer_stays_exported(kernel):
    """An array that some call still held could not be resized any more."""
    args = make(kernel.name, Random(kernel.name))
    function = getattr(MODULES["_picorl"], kernel.name)
    function(*args.values())
    for name in args:
        with pytest.raises(ValueError):
            function(*(args | {name: object()}).values())
    for value in args.values():
        if isinstance(value, (array, bytearray)):
            value.append(0)


def test_a_build_for_some_algorithms_has_their_kernels_only(tmp_path):
    generate.main(["--out", str(tmp_path), "--algorithms", "ppo"])
    wanted = {kernel.name for kernel in table.KERNELS if "ppo" in kernel.of}
    text = (tmp_path / "user_module.c").read_text()
    found = set(re.findall(r"MP_QSTR_(\w+)\), MP_ROM_PTR\(&py_", text)) - set(EXTRAS)
    assert found == wanted and "gae" in found and "forward" in found and "replay_sample" not in found
    header = (tmp_path / "kernels.h").read_text()
    assert "#define PICORL_LINKAGE_replay_sample static __attribute__((unused))\n" in header
    assert "#define PICORL_LINKAGE_gae\n" in header


LAYERS = {  # of 3 numbers: what a build must have been told to keep for it
    "dense with tanh": ((1, 3, 3, 2), None),
    "dense with sigmoid": ((1, 3, 3, 4), "activations"),
    "layer norm": ((2, 3, 3, 1), "norm"),
    "normalisation with leaky ReLU": ((3, 3, 3, 3), "norm activations"),
    "GELU": ((4, 3, 3, 6), "activations"),
}


@compiled
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
@pytest.mark.parametrize("kept", ["", "norm", "activations", "norm activations"])
def test_a_build_for_some_algorithms_has_the_layers_that_it_was_told_to_keep(tmp_path, kept):
    generate.main(["--out", str(tmp_path / "generated"), "--algorithms", f"sac {kept}"])
    native, library = SCRIPT.parent, tmp_path / "_picorl.so"
    folders = [f"-I{folder}" for folder in (tmp_path, native, sysconfig.get_path("include"))]
    sources = [tmp_path / "generated/cpython.c", native / "core/single.c"]
    flags = "-O1 -std=gnu99 -ffp-contract=off -shared -fPIC -Wall -Wno-psabi -Werror".split()
    subprocess.run(["cc", *flags, *folders, *sources, "-o", library], check=True, capture_output=True, text=True)
    spec = importlib.util.spec_from_file_location("_picorl", library)
    built = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(built)
    for name, (record, needs) in LAYERS.items():
        args = make("forward", Random(name), layout=array("i", record), row=0, rows=2)
        if needs and not set(needs.split()) <= set(kept.split()):
            with pytest.raises(
                ValueError, match=r"layout\[0\] is .* and its activation .*, which this build leaves out"
            ):
                built.forward(*args.values())
            continue
        built.forward(*args.values())
        got = list(args["out"])
        MODULES["_picorl"].forward(*args.values())
        assert got == pytest.approx(list(args["out"]), rel=1e-5, abs=1e-6), name


def test_unknown_algorithms_are_named(tmp_path):
    with pytest.raises(
        SystemExit, match="algorithms: a2c, must be of sac, td3, ppo, dqn, stream, supervised, norm, activations"
    ):
        generate.main(["--out", str(tmp_path / "none"), "--algorithms", "sac a2c"])
    assert not (tmp_path / "none").exists()


def test_every_algorithm_trains_with_the_kernels_that_the_table_says_it_needs(monkeypatch):
    """What an agent calls beyond them would be missing in a build for it alone."""
    import picorl
    from picorl.envs import CartPole, Pendulum

    for name in table.ALGORITHMS:
        allowed = {kernel.name for kernel in table.KERNELS if name in kernel.of}

        class Only:
            def __getattr__(self, attribute, allowed=allowed, real=picorl.kernels.backend):
                if attribute in NAMES and attribute not in allowed:
                    raise AttributeError(attribute)
                return getattr(real, attribute)

        monkeypatch.setattr(picorl.kernels, "backend", Only())
        if name == "supervised":
            for optimiser in ("adam", "adamw", "sgd"):
                for model in (
                    picorl.Regressor(2, optimiser=optimiser),
                    picorl.Regressor(2, optimiser=optimiser, loss="huber"),
                    picorl.Classifier(2, 3, optimiser=optimiser),
                ):
                    targets = array("i" if model.classifies else "f", (1, 0, 2))
                    data = picorl.Batches(array("f", range(6)), targets, 2)
                    list(model.fit(data, data))
                    model.predict(array("f", range(2)), targets[:1])
                    assert model.updates
            monkeypatch.undo()
            continue
        if name == "stream":
            for algorithm, env in ((picorl.StreamAC, Pendulum(seed=0)), (picorl.StreamQ, CartPole(seed=0))):
                agent = algorithm(env, hidden=(4,))
                list(picorl.train(agent, env, 40, evaluate_every=20, evaluate_episodes=1))
                assert agent.updates == 40
            monkeypatch.undo()
            continue
        for make_env in (Pendulum, CartPole):
            if name in ("sac", "td3") and make_env is CartPole or name == "dqn" and make_env is Pendulum:
                continue
            env = make_env(seed=0)
            rows = dict(rollout_steps=16) if name == "ppo" else dict(replay_capacity=100, warmup_steps=10)
            agent = getattr(picorl, name.upper())(env, hidden=(4,), batch_size=8, **rows)
            list(picorl.train(agent, env, 40, evaluate_every=20, evaluate_episodes=1))
            assert agent.updates
        monkeypatch.undo()


def test_an_algorithm_without_its_kernels_says_so(monkeypatch):
    import picorl
    from picorl.envs import Pendulum

    class Without:
        def __getattr__(self, attribute, real=picorl.kernels.backend):
            if attribute == "gae":
                raise AttributeError(attribute)
            return getattr(real, attribute)

    monkeypatch.setattr(picorl.kernels, "backend", Without())
    with pytest.raises(ImportError, match="PPO needs the kernel gae, which this .* was built without"):
        picorl.PPO(Pendulum())
