"""The libraries of others that a page carries: which version of what, its hash and its licence, and how they get here.

`python -m bench.leaderboard.vendored` fetches them anew from their npm packages with npm itself; a page is made from
the copies beside this file, which are held against their hashes.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.api import RequestError
from bench.imaging.atomic import atomic_write

FOLDER = Path(__file__).parent / "vendored"
INDEX = "vendored.json"


@dataclass(frozen=True)
class Wanted:
    """A script inside an npm package; `licence` is the member with its text, or the text where the package has none."""

    package: str
    version: str
    script: str
    licence: str
    kind: str


@dataclass(frozen=True)
class Library:
    """A library as it lies here.

    Attributes:
        package, version: On npm.
        file: The script, in this folder.
        sha256: Of the script.
        bytes: Its length.
        kind: SPDX identifier of its licence.
        licence: Its text.
    """

    package: str
    version: str
    file: str
    sha256: str
    bytes: int
    kind: str
    licence: str

    def script(self, folder: Path = FOLDER) -> str:
        """The code, to be put into a page.

        Raises:
            RequestError: the file is not the one that was vendored.
        """
        path = folder / self.file
        data = path.read_bytes() if path.is_file() else b""
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.sha256:
            raise RequestError(
                f"{path}: expected {self.package} {self.version} with sha256 {self.sha256[:12]}…, seen {digest[:12]}…; "
                "fetch it again with 'python -m bench.leaderboard.vendored', or install assr-bench anew"
            )
        text = re.sub(r"//# sourceMappingURL=.*", "", data.decode("utf-8"))
        # the parser of HTML ends a script at "</script", also within a string, and reads "<!--" as a comment
        return re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.IGNORECASE)


_MIT = """MIT License

Copyright (c) {holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""

WANTED = (
    Wanted("datatables.net", "3.1.5", "js/dataTables.min.js", "License.txt", "MIT"),
    Wanted("plotly.js-basic-dist-min", "4.1.1", "plotly-basic.min.js", "LICENSE", "MIT"),
    Wanted("openseadragon", "6.1.1", "build/openseadragon/openseadragon.min.js", "LICENSE.txt", "BSD-3-Clause"),
    # its package names the licence (MIT) and carries no text of it
    Wanted("img-comparison-slider", "8.0.7", "dist/index.js", _MIT.format(holder="2019 Dmitry Snisarenko"), "MIT"),
)
"""What a page is made with. Each is a classic script: from `file://` a browser loads no module."""


def libraries(folder: Path = FOLDER) -> tuple[Library, ...]:
    """What lies in a folder of vendored scripts, in the order in which a page loads them."""
    return tuple(Library(**entry) for entry in json.loads((folder / INDEX).read_text(encoding="utf-8")))


def vendor(wanted: tuple[Wanted, ...] = WANTED, folder: Path = FOLDER) -> tuple[Library, ...]:
    """Fetch scripts from their npm packages and write them with an index of versions, hashes and licences.

    Args:
        wanted: What to fetch.
        folder: Where to put it; made if it is not there.
    Raises:
        RequestError: npm is not installed, or has no such package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetched = tuple(_fetch(one, folder) for one in wanted)
    with atomic_write(folder / INDEX) as file:
        file.write(json.dumps([asdict(library) for library in fetched], indent=1, ensure_ascii=False) + "\n")
    return fetched


def _fetch(wanted: Wanted, folder: Path) -> Library:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", f"{wanted.package}@{wanted.version}", "--pack-destination", scratch]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except OSError as fault:
            raise RequestError(f"npm cannot be started ({fault.strerror}); install it, then try again") from None
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise RequestError(f"'{' '.join(command[:4])}' failed: {done.stderr.strip()[:300] or done.returncode}")
        with tarfile.open(archives[0]) as archive:
            data = _member(archive, wanted.script)
            inline = "\n" in wanted.licence
            licence = wanted.licence if inline else _member(archive, wanted.licence).decode("utf-8")
    name = f"{wanted.package}-{wanted.version}.js"
    with atomic_write(folder / name, "wb") as file:
        file.write(data)
    digest = hashlib.sha256(data).hexdigest()
    return Library(wanted.package, wanted.version, name, digest, len(data), wanted.kind, licence.strip() + "\n")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(f"package/{name}")
    if stream is None:
        raise RequestError(f"the package has no file {name}")
    return stream.read()


if __name__ == "__main__":
    try:
        vendor()
    except RequestError as fault:
        sys.exit(str(fault))
