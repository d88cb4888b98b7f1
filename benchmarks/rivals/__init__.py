# SPDX-License-Identifier: Apache-2.0
"""Published algorithms, written plainly by us, each in its best fair form."""
