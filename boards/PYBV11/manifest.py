# What the board freezes anyway, and picorl.
include("$(PORT_DIR)/boards/PYBV10/manifest.py")
include("../../device/manifest.py")
