# What the board freezes anyway, and picorl.
include("$(BOARD_DIR)/manifest.py")
include("../../device/manifest.py")
