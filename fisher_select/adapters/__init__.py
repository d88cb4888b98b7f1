# SPDX-License-Identifier: Apache-2.0
"""Every strategy of the registry inside another framework; each host has a module of its own.

================  =================  ==========================================================
module            host               what it takes the place of
================  =================  ==========================================================
scikit_activeml   scikit-activeml    a ``SingleAnnotatorPoolQueryStrategy``
modal             modAL              the ``query_strategy`` of a learner or a committee
small_text        small-text         a ``QueryStrategy``, an ``EmbeddingBasedQueryStrategy``
baal              Baal               an ``AbstractHeuristic``
label_studio      Label Studio       scored tasks out, annotations in
patchcore         anomalib           PatchCore's ``KCenterGreedy``
monai_label       MONAI Label        a ``ScoringMethod`` and a ``Strategy``
================  =================  ==========================================================

Importing this package imports no host; importing a module imports its own.
"""
