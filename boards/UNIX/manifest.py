# Frozen into the unix port: what its own manifest freezes without micropython-lib, and picorl.
include("$(MPY_DIR)/extmod/asyncio")
include("../../device/manifest.py")
