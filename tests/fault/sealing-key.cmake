# SPDX-License-Identifier: LGPL-2.1-or-later
# What keystrap-sealing-key.service makes, with the real systemd-creds.
add_test(NAME fault/sealing-key COMMAND ${CMAKE_CURRENT_LIST_DIR}/test-sealing-key ${CMAKE_SOURCE_DIR}/systemd)
set_tests_properties(fault/sealing-key PROPERTIES LABELS "fault;systemd" TIMEOUT 60)
