# Firmware without picorl: what the port freezes, less what needs micropython-lib. modules/ holds _boot.py, which makes the file system.
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
