# SPDX-License-Identifier: LGPL-2.1-or-later
# What systemd makes of the installed files.
add_test(NAME fault/sandbox
         COMMAND ${CMAKE_CURRENT_LIST_DIR}/test-sandbox ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(fault/sandbox PROPERTIES LABELS "fault;systemd" TIMEOUT 60)
