"""What pip's settings come to inside a sandbox, and what of them stays outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.errors import MachineError
from kaggle_runner.packages.indexes import (
    Host,
    PackageSource,
    package_source,
    read_settings,
    source_from,
)

INDEX, FILES = "https://index.example/simple", "files.example"


def read(settings: dict[str, str], environment: dict[str, str] | None = None) -> PackageSource:
    return source_from(settings, INDEX, FILES, environment or {})


def test_without_settings_it_is_pips_own_index_and_its_files() -> None:
    source = read({})
    assert source.hosts == {Host("index.example", 443), Host("files.example", 443)}
    assert (source.withheld, source.certificates, "PIP_INDEX_URL" in source.variables) == ((), None, False)


def test_a_persons_indexes_are_reached_without_the_name_and_password_that_pip_has() -> None:
    source = read(
        {
            "global.index-url": "https://Mirror.example:8443/root/simple?token=hush-hush",
            ":env:.extra-index-url": "https://anna:pa55w0rd@inner.example/simple\nhttps://[::1]:444/simple",
            "install.find-links": "https://wheels.example/cpu.html",
        }
    )
    assert source.hosts == {
        Host("mirror.example", 8443), Host("inner.example", 443), Host("::1", 444),
        Host("wheels.example", 443), Host("files.example", 443),
    }  # fmt: skip
    assert source.variables["PIP_INDEX_URL"] == "https://mirror.example:8443/root/simple"
    assert source.variables["PIP_EXTRA_INDEX_URL"] == "https://inner.example/simple https://[::1]:444/simple"
    assert source.withheld == ("inner.example is asked without the name and password that pip has for it.",)
    assert not any(word in str(source) for word in ("anna", "pa55w0rd", "hush"))


def test_the_nearer_setting_counts() -> None:
    settings = {"global.index-url": "https://far.example/s", "install.index-url": "https://near.example/s"}
    assert Host("near.example", 443) in read(settings).hosts
    assert Host("far.example", 443) not in read(settings).hosts


def test_what_cannot_be_reached_from_inside_is_left_out_and_told() -> None:
    settings = {
        "global.index-url": "http://plain.example/simple",
        "global.extra-index-url": "file:///srv/simple https://good.example/simple",
        "global.find-links": "/srv/wheels",
    }
    source = read(settings)
    assert source.hosts == {Host("good.example", 443), Host("files.example", 443)}
    assert source.withheld == (
        "plain.example is not reached: it has no https.",
        "A folder that pip is set up with is not shown inside.",
    )
    assert "/srv" not in str(source)


def test_a_pip_without_an_index_has_only_what_is_linked() -> None:
    settings = {":env:.no-index": "1", "global.find-links": "https://wheels.example/"}
    source = read(settings)
    assert source.hosts == {Host("wheels.example", 443)}
    assert source.variables["PIP_NO_INDEX"] == "1"


def test_certificates_are_shown_and_private_keys_are_not(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_text("-----BEGIN CERTIFICATE-----")
    bad.write_text("-----BEGIN EC PRIVATE KEY-----")
    assert read({":env:.cert": str(good)}).certificates == good
    assert read({}, {"SSL_CERT_FILE": str(good)}).certificates == good
    refused = read({"global.cert": str(bad)})
    assert refused.certificates is None and "private key" in refused.withheld[0]


def test_what_pip_lists_is_read() -> None:
    listed = ":env:.index-url='https://a.example/simple'\nglobal.trusted-host=\"x y\"\nsome warning = no\n"
    assert read_settings(listed) == {
        ":env:.index-url": "https://a.example/simple",
        "global.trusted-host": "x y",
    }


def test_pip_that_is_set_up_with_nothing_that_can_be_reached_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MachineError, match="no https") as told:
        package_source()
    assert "--allow-packages" in told.value.hint
