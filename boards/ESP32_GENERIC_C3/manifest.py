# What the board freezes anyway, and picorl.
include("$(PORT_DIR)/boards/manifest.py")
include("../../device/manifest.py")
