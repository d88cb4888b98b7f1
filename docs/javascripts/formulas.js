// SPDX-License-Identifier: Apache-2.0
// Read by MathJax when it starts: where formulas are, and nothing that loads more files.
window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"]],
    displayMath: [["\\[", "\\]"]],
    macros: { tr: "\\operatorname{tr}", diag: "\\operatorname{diag}", T: "^{\\mathsf T}" },
  },
  options: {
    ignoreHtmlClass: ".*",
    processHtmlClass: "arithmatex",
    enableMenu: false, // its accessibility modules are files of their own
  },
  svg: { fontCache: "global" },
};
