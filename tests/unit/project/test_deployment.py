"""What people deploy with: compose, the image, the Procfile, the example of an environment, the pinned versions."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streams import __version__
from streams.brokers.kafka import jars
from streams.cli import main
from streams.connectors import connector
from streams.policy import load_policy

ROOT = Path(__file__).parents[3]
PROCESSES = ("engine", "sinks", "gateway")
PINNED_IMAGE = re.compile(r"^[a-z/]+:\d+\.\d+\.\d+(-[a-z0-9-]+)?$")


def compose() -> dict[str, Any]:
    """The file as written."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def compose_command() -> list[str]:
    """Docker's plugin, or the older program of its own."""
    if shutil.which("docker"):
        plugin = ["docker", "compose"]
        if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
            return plugin
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    refuse = pytest.fail if os.environ.get("WRITEBACK_REQUIRE_ALL") == "1" else pytest.skip
    return refuse("compose: neither `docker compose` nor `docker-compose` on the path")


def test_compose_itself_takes_the_file(tmp_path: Path) -> None:
    command = compose_command()
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")

    run = subprocess.run([*command, "config"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    services = yaml.safe_load(run.stdout)["services"]
    assert set(services) == {"kafka", *PROCESSES}
    assert services["engine"]["environment"]["WRITEBACK_BOOTSTRAP"] == "kafka:9092"
    assert "WRITEBACK_ESP_API_KEY" in services["sinks"]["environment"]


def test_all_processes_run_the_same_image_of_this_version() -> None:
    images = {compose()["services"][name]["image"] for name in PROCESSES}

    assert images == {f"writeback:{__version__}"}


def test_the_broker_is_the_release_that_the_tests_run_on() -> None:
    assert compose()["services"]["kafka"]["image"] == f"apache/kafka:{jars.version()}"


def test_every_image_is_pinned_to_a_release() -> None:
    images = [service["image"] for service in compose()["services"].values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert [image for image in images if not PINNED_IMAGE.match(image)] == []


def test_no_port_is_open_to_other_machines() -> None:
    ports = [port for service in compose()["services"].values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("process", PROCESSES)
def test_what_compose_and_the_procfile_run_is_a_command_with_options_that_it_has(process: str) -> None:
    procfile = dict(re.findall(r"^(\w+): writeback (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))

    for line in (procfile[process], compose()["services"][process]["command"]):
        name, *arguments = shlex.split(line)
        assert name == process
        main.commands[name].make_context(name, arguments)


def test_the_example_environment_names_every_secret_and_nothing_else() -> None:
    named = re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    required = ["WRITEBACK_VIEW_TOKEN", "WRITEBACK_STEWARD_TOKEN", "WRITEBACK_ERASURE_KEY"]
    for platform, rule in load_policy().platforms.items():
        settings = connector(rule.connector).settings
        required += [f"WRITEBACK_{platform.upper()}_{one.name}" for one in settings if one.default is None]

    assert [name for name, _ in named] == required
    assert all(value == "" for _, value in named)


def test_what_builds_the_product_is_installed() -> None:
    """The benchmarks build it without an environment apart, and a fresh environment's own setuptools may be too old."""
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]:
        required = Requirement(line)
        assert required.specifier.contains(version(required.name))


def test_the_constraints_pin_every_dependency_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]

    unmet = []
    for line in wanted:
        requirement = Requirement(line)
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version):
            unmet.append(f"{line}: {version}")
    assert unmet == [], "run `make constraints`"


def test_the_vendors_of_the_import_contracts_are_the_folders_of_the_connectors() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    folders = {f"streams.connectors.{path.parent.name}" for path in ROOT.glob("streams/connectors/*/__init__.py")}

    assert set(contracts["importlinter:contract:vendors"]["modules"].split()) == folders
    assert set(contracts["importlinter:contract:roles"]["protected_modules"].split()) == folders
