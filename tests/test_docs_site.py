"""The documentation site builds strictly, opens without a network, and lists every setting."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from orchestrator.cli import COMMANDS
from orchestrator.cluster_file import ClusterFile
from orchestrator.sweep.naming import setting_names

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.filterwarnings("default")  # of the plugins, about each other


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning of any plugin ends the build."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.delenv("XLWARM_DOCS_RUN", raising=False)
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
        config.plugins.on_startup(command="build", dirty=False)
        try:
            build(config)
        except Abort as aborted:
            pytest.fail(f"mkdocs build --strict: {aborted}")
    return folder


class _Loaded(HTMLParser):
    """What a page makes a browser fetch."""

    SOURCES = ("script", "img", "iframe", "source", "video", "audio", "embed")
    LINKS = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "manifest")

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in self.SOURCES:
            self.addresses.append(given.get("src") or "")
        elif tag == "link" and set((given.get("rel") or "").split()) & set(self.LINKS):
            self.addresses.append(given.get("href") or "")


def _fetched(page: Path) -> Iterator[str]:
    parser = _Loaded()
    parser.feed(page.read_text(encoding="utf-8"))
    yield from filter(None, parser.addresses)


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        for address in _fetched(page):
            assert not re.match(r"(https?:)?//", address), f"{page.name}: {address}"
            if page.name != "404.html":  # which may be shown at any depth
                assert (page.parent / address.partition("?")[0]).resolve().is_file(), address
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"url\([\"']?(https?:)?//|@import", text), style.name


def test_every_setting_is_on_its_page_with_what_it_means(site: Path) -> None:
    page = (site / "settings.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr>\n<td><code>([\w.*]+)</code></td>\n(.+?)</tr>", page, re.DOTALL)
    listed = {name: re.sub(r"<.+?>", " ", cells).split() for name, cells in rows}
    places = {one.replace(".*", "") for one in re.findall(r"<code>([\w.*]+)</code>", page)}
    ends = {name.rpartition(".")[2] for name in listed}
    for name in (*setting_names(), *setting_names(ClusterFile)):
        block, _, end = name.rpartition(".")
        assert name in places or (block in places and end in ends), name
    for name, words in listed.items():
        is_block = any(other.startswith(f"{name}.") for other in listed)
        is_block = is_block or name.rpartition(".")[0] == "resources"
        assert is_block or len(words) > 2, f"{name} says nothing"


def test_a_row_of_the_settings_has_bounds_default_and_docstring(site: Path) -> None:
    page = (site / "settings.html").read_text(encoding="utf-8")
    row = page.split("<code>warmup.outer_lr</code>")[1].split("</tr>")[0]
    words = " ".join(re.sub(r"<.+?>", " ", row).split())
    assert words == "number, &gt; 0, ≤ 1 5e-05 Gamma: rate of the outer optimiser (Eq. 7)."


def test_every_command_is_on_its_page(site: Path) -> None:
    page = (site / "commands.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f'id="xlwarm-{name}"' in page, name


def test_the_api_page_has_the_methods_of_a_study(site: Path) -> None:
    from experiments import Study

    page = (site / "api.html").read_text(encoding="utf-8")
    for name in (one for one in vars(Study) if not one.startswith("_")):
        assert f'id="experiments.notebook.Study.{name}"' in page, name
