"""For mypy: classes whose attributes picorl.memory and the planner set by name have attributes of any name."""

from mypy.plugin import Plugin

ROOTS = {
    "picorl.agent.Agent",
    "picorl.supervised.Supervised",
    "picorl.envs.vector.Vector",
    "picorl.envs.environment.Environment",
}


class DynamicAttributes(Plugin):
    def get_customize_class_mro_hook(self, fullname):
        return self._allow if fullname.startswith("picorl.") else None

    def _allow(self, context):
        info = context.cls.info
        if any(base.fullname in ROOTS for base in info.mro):
            info.fallback_to_any = True


def plugin(version):
    return DynamicAttributes
