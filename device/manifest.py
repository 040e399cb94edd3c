# Freeze picorl into firmware: FROZEN_MANIFEST=device/manifest.py, or include() this file from a board's own manifest.
package("picorl", base_path=".")
