# Firmware with picorl.
include("stock_manifest.py")
include("../../device/manifest.py")
