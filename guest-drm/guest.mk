# SPDX-License-Identifier: MIT
# The Linux guest driver. Kbuild builds it, for one kernel (guest-drm/Makefile)
# or for those of the guest images (`make module`, igt-tests/images.py); here
# are only the tests of its sources.
CHECKS += guest-drm/tests/test_source.sh
