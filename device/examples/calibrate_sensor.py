"""Calibrate a sensor on the board: learn how raw readings become degrees, then measure with what was learned.

    mpremote run calibrate_sensor.py
    micropython calibrate_sensor.py
    python calibrate_sensor.py

A thermistor's voltage is a bent function of its temperature, parts differ, and the reading also depends on the supply. Instead of
a formula with constants from a data sheet, a small network learns from pairs of readings and temperatures that were noted at some
points: put the sensor next to a thermometer, note both, repeat. Here 60 such pairs are enough; 20 more tell when to stop.

Set PINS to the two ADC pins (thermistor, divided supply) of a board; the program then asks for each temperature, unless `Board.reference`
reads it from a thermometer on a bus. Where PINS is None, or there is no ADC, readings are simulated: a 10 kOhm thermistor (beta 3950 K)
under a 10 kOhm resistor, a 12-bit conversion with noise, a battery between 3.0 and 3.6 V, and an amplifier that is not quite linear.

What was learned is saved as calibration.safetensors; `measure` shows how a program uses it later.
"""

import math
from array import array

import picorl

PINS = None  # such as (26, 27): GPIOs of a Pico's ADC0 and ADC1
PAIRS = 60
CHECKS = 20
FILE = "calibration.safetensors"


class Board:
    """Readings of two ADC channels (0 to 65535)."""

    def __init__(self, pins):
        from machine import ADC

        self.channels = [ADC(pin) for pin in pins]

    def new_conditions(self):
        input("Bring sensor and thermometer to another temperature, then press Enter: ")

    def read(self, readings):
        for i, channel in enumerate(self.channels):
            readings[i] = channel.read_u16()

    def reference(self):
        return float(input("What the thermometer shows (degrees C): "))


class Simulation:
    """The same, of a thermistor at a temperature (degrees C) that changes from pair to pair."""

    def __init__(self, seed):
        self.rng = array("I", (seed, 0, 0, 0))
        self.numbers = array("f", (0, 0))
        self.new_conditions()

    def _draw(self):
        """Two numbers, uniform in [-1, 1)."""
        picorl.kernels.backend.uniform(self.rng, self.numbers, 2)
        return self.numbers

    def new_conditions(self):
        a, b = self._draw()
        self.temperature = 25 + 35 * a
        self.supply = 3.3 + 0.3 * b

    def _converted(self, volts):
        a, b = self._draw()
        return 16 * min(4095, max(0, int(4095 * volts / 3.6 + a + b)))  # with noise of a step or two

    def read(self, readings):
        ohms = 10_000 * math.exp(3950 * (1 / (self.temperature + 273.15) - 1 / 298.15))
        part = ohms / (ohms + 10_000)
        readings[0] = self._converted(self.supply * (part - 0.05 * part * (1 - part)))
        readings[1] = self._converted(self.supply)

    def reference(self):
        return self.temperature


def find_sensor():
    if PINS is not None:
        try:
            return Board(PINS)
        except ImportError:
            pass
    return Simulation(seed=1)


def note_pairs(sensor, count):
    """Readings (count, 2) and temperatures (count)."""
    readings, temperatures = array("f", [0] * (2 * count)), array("f", [0] * count)
    one = array("f", (0, 0))
    for i in range(count):
        sensor.new_conditions()
        sensor.read(one)
        readings[2 * i], readings[2 * i + 1] = one
        temperatures[i] = sensor.reference()
    return readings, temperatures


def calibrate(sensor):
    """Learn, and save what predicted the pairs kept aside best."""
    model = picorl.Regressor(2, hidden=(8, 8), activation="tanh", learning_rate=0.02, batch_size=10)
    pairs = picorl.Batches(*note_pairs(sensor, PAIRS), n_inputs=2, batch_size=10)
    checks = picorl.Batches(*note_pairs(sensor, CHECKS), n_inputs=2, batch_size=10, shuffle=False)
    for record in model.fit(pairs, checks, epochs=300, patience=60):
        if record["epoch"] % 25 == 0:
            picorl.report("progress", **record)
    model.save(FILE)


def measure(sensor, count):
    """Errors (degrees C) of the saved calibration at new temperatures: root mean square and largest."""
    policy = picorl.Policy.load(FILE)
    readings, temperature = array("f", (0, 0)), array("f", (0,))
    squares = worst = 0.0
    for _ in range(count):
        sensor.new_conditions()
        sensor.read(readings)
        policy.predict(readings, temperature)
        error = abs(temperature[0] - sensor.reference())
        squares += error * error
        worst = max(worst, error)
    return math.sqrt(squares / count), worst


if __name__ == "__main__":
    sensor = find_sensor()
    calibrate(sensor)
    rms, worst = measure(sensor, CHECKS)
    picorl.report("end", rms=rms, worst=worst)
