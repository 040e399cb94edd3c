"""What others need for the same work, to print beside ours: facts, measured once or published, with their source."""

# RLtools on an emulated Cortex-M7: QEMU with -icount shift=0, gcc 12.2 -O3, float32, the best of several flags for each
# network. Measured 2026-11. Forward passes of one observation; instructions.
RLTOOLS_FORWARD = {"3-64-64-1": 15_097, "13-64-64-4": 22_022, "16-32-32-4": 7_779}

# The same for one training step on Pendulum (act, environment, gather, all updates; TD3: the mean of steps with and without
# actor), and its static memory, bytes. Keys: hidden units, batch, replay.
RLTOOLS_STEP = {
    (64, 100, 10_000): {"SAC": 43_250_000, "TD3": 31_190_000, "bytes": 1_618_700},
    (64, 32, 2_000): {"SAC": 14_740_000, "TD3": 10_820_000, "bytes": 619_860},
    (32, 32, 1_000): {"SAC": 3_980_000, "TD3": 2_880_000, "bytes": 260_340},
    (16, 16, 1_000): {"SAC": 554_000, "TD3": 426_000, "bytes": 117_524},
}
SOURCE = "RLtools: measured 2026-11, gcc 12.2 -O3, QEMU -icount shift=0"
