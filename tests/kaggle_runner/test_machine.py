"""What the machine is said to have."""

from __future__ import annotations

import subprocess
import sys

from kaggle_runner.machine import Gpu, Machine, describe_machine, parse_gpus


def test_this_machine_is_described() -> None:
    machine = describe_machine()
    assert machine.cpus >= 1 and machine.memory_bytes > 2**28
    assert "pandas" in machine.packages
    assert machine.sentence().startswith(f"{machine.cpus} CPU core")


def test_sentences_name_each_kind_of_gpu() -> None:
    a6000 = Gpu("NVIDIA RTX A6000", 48 << 30, 0)
    none = Machine(2, 24 << 30, (), "3.11", {})
    two = Machine(1, 24 << 30, (a6000, a6000), "3.11", {})
    assert none.sentence() == "2 CPU cores, 24 GiB memory, no GPU"
    assert two.sentence() == "1 CPU core, 24 GiB memory, 2 × NVIDIA RTX A6000 with 48 GiB"


def test_the_drivers_table_is_read() -> None:
    table = "0, 49140, NVIDIA RTX A6000\n1, [N/A], NVIDIA GB10\nNo devices were found\n"
    assert parse_gpus(table) == (Gpu("NVIDIA RTX A6000", 49140 << 20, 0), Gpu("NVIDIA GB10", 0, 1))


def test_importing_the_runner_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from kaggle_runner import files, machine\nfrom kaggle_runner.notebook import file, session\n"
        "print([name for name in ('zmq', 'jupyter_client', 'nbformat', 'pandas') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
