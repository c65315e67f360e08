# SPDX-License-Identifier: LGPL-2.1-or-later
# keystrapd's bring-up with its functions wrapped by the linker.
add_executable(test-bring-up ${CMAKE_CURRENT_LIST_DIR}/test-bring-up.c ${CMAKE_SOURCE_DIR}/dbus/keystrapd.c)
set_source_files_properties(${CMAKE_SOURCE_DIR}/dbus/keystrapd.c PROPERTIES
    COMPILE_DEFINITIONS main=keystrapd_main COMPILE_OPTIONS -Wno-missing-prototypes)
foreach(function setrlimit prctl secret_arena_init secret_self_test sd_event_default sd_event_add_signal
        sd_event_set_watchdog agent_new service_new service_free agent_start sd_event_loop sd_notify sd_notifyf)
    target_link_options(test-bring-up PRIVATE -Wl,--wrap=${function})
endforeach()
set_target_properties(test-bring-up PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
target_link_libraries(test-bring-up PRIVATE ${KEYSTRAP_LIBS} PkgConfig::CMOCKA)
add_test(NAME fault/bring-up COMMAND test-bring-up)
set_tests_properties(fault/bring-up PROPERTIES LABELS fault TIMEOUT 60)
