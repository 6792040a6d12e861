"""Pushed kernels that ask for internet install packages where the server allows it; others do not."""

from __future__ import annotations

from pathlib import Path

from kaggle_runner.packages.indexes import package_source
from mle_live.kernels.runs import KernelLimits
from tests.fakes.package_index import package_index
from tests.fakes.pythons import other_python
from tests.fakes.wheels import write_wheel
from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import tiny_server

CODE = """
    import subprocess, sys
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "tiny"])
    open("left.txt", "w").write(str(done.returncode))
    import tiny
    print("value", tiny.value)
    """


def test_a_kernel_installs_where_it_asked_for_internet(tmp_path: Path) -> None:
    write_wheel(tmp_path / "wheels", "tiny", "1.0", "value = 'one'\n")
    with package_index(tmp_path / "wheels", tmp_path):
        limits = KernelLimits(packages=package_source(), python=other_python(tmp_path / "small", "pip"))
        with tiny_server(tmp_path, kernel_limits=limits) as server:
            alice = Pusher(server)
            assert alice.run("Installs", CODE, enableInternet=True) == ("COMPLETE", "")
            told = alice.log("installs")
            assert "value one" in told and "of it kernels can reach the package index here" in told
            assert alice.output_names("installs") == ["left.txt"]
            status, why = alice.run("Cannot", CODE)
            assert status == "ERROR" and "No module named 'tiny'" in why
            assert alice.output_names("cannot") == ["left.txt"]
