# SPDX-License-Identifier: Apache-2.0
"""Puts MathJax, out of the package sphinx-mathjax-offline, into the built site.

One file with its fonts inside. Pages then need no other host for their formulas.
"""

from __future__ import annotations

from importlib.metadata import files

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_PACKAGE = "sphinx-mathjax-offline"
_SCRIPT = "tex-svg.js"  # TeX in, SVG out: the other outputs load their fonts one by one


def on_files(found: Files, /, *, config: MkDocsConfig) -> Files:
    """Add the script to the files of the site, as `mathjax/tex-svg.js`."""
    scripts = [path for path in files(_PACKAGE) or [] if path.name == _SCRIPT]
    if len(scripts) != 1:
        raise FileNotFoundError(f"{_PACKAGE} must hold one {_SCRIPT}, got {len(scripts)}")
    path = str(scripts[0].locate())
    found.append(File.generated(config, f"mathjax/{_SCRIPT}", abs_src_path=path))
    return found
