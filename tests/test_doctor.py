"""``xlwarm doctor``: what is optional never makes it fail, and keys are never shown."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator import doctor as module
from orchestrator import optional_tools as tools
from projection.translators import apertium

SECRET = "secret-0123-key:fx"


@pytest.fixture
def _no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for variable in ("DEEPL_AUTH_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("_no_programs")
def test_nothing_optional_makes_doctor_fail(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_findings", lambda _store: [("python", True, "3.11")])
    monkeypatch.setattr(tools, "EXTRAS", (tools.Extra("no-such-package", "deepl", "translator"),))
    shown = CliRunner().invoke(module.doctor, ["--store", str(tmp_path)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for cure in ("`make apertium`", "no fast_align on the PATH", "pip install 'xlwarm[deepl]'"):
        assert cure in shown.output
    assert shown.output.count("--  ") == 4  # apertium, fast_align, eflomal, no-such-package
    monkeypatch.setattr(module, "_findings", lambda _store: [("python", False, "3.9")])
    assert CliRunner().invoke(module.doctor, ["--store", str(tmp_path)]).exit_code == 1


def test_a_key_is_told_to_be_set_and_never_shown(monkeypatch):
    monkeypatch.setenv("DEEPL_AUTH_KEY", SECRET)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    found = {name: (there, text) for name, there, text in tools.optional_tools()}
    assert found["deepl"][0]
    assert found["deepl"][1].endswith("DEEPL_AUTH_KEY is set")
    assert not found["google-cloud-translate"][0]
    assert found["google-cloud-translate"][1].endswith("GOOGLE_API_KEY is not set")
    assert SECRET not in str(found)


def test_apertium_is_told_with_its_version_and_all_ways_to_a_language(monkeypatch):
    modes = {"eng-spa", "spa-ita", "es-pt", "eng-cat", "cat-ita", "fr-es", "eng-cat_valencia"}
    monkeypatch.setattr(apertium, "installed_modes", lambda: frozenset(modes))
    monkeypatch.setattr(apertium, "program_version", lambda: "Apertium 3.8.3")
    found = {name: (there, text) for name, there, text in tools.optional_tools()}
    assert found["apertium"] == (
        True,
        "Apertium 3.8.3: en to ca (eng-cat), es (eng-spa); over es to it (eng-spa+spa-ita), "
        "pt (eng-spa+es-pt); over ca to it (eng-cat+cat-ita)",
    )
    monkeypatch.setattr(apertium, "installed_modes", lambda: frozenset({"fr-es"}))
    first = next(tools.optional_tools())
    assert first[:2] == ("apertium", False)
    assert "no mode from en" in first[2]


def test_programs_are_found_on_the_path(tmp_path: Path, monkeypatch):
    program = tmp_path / "fast_align"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {name: (there, text) for name, there, text in tools.optional_tools()}
    assert found["fast_align"] == (True, f"aligner program:fast_align: {program}")
    assert not found["eflomal"][0]
