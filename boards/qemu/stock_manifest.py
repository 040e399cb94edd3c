# Firmware without picorl.
freeze(".", "_boot.py")
