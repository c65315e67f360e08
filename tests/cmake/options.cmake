# SPDX-License-Identifier: LGPL-2.1-or-later
# Warnings, hardening and sanitizers for every target.
add_compile_options(
    -Wall -Wextra -Wpedantic -Wformat=2 -Wshadow -Wpointer-arith -Wcast-qual -Wcast-align
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wwrite-strings
    -Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference
    -fno-common -fno-strict-aliasing -fstack-protector-strong -fvisibility=hidden)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # -Wpedantic has no finer switch for statement expressions in gcc.
    add_compile_options(-Wno-pedantic -Wlogical-op -Wduplicated-cond -Wduplicated-branches
                        -Wno-null-dereference)
else()
    # GNU C is meant. libseccomp's macros leave fields out; gcc knows that they are a system header's.
    add_compile_options(-Wno-gnu -Wno-missing-field-initializers)
endif()
if(KEYSTRAP_WERROR)
    add_compile_options(-Werror)
endif()
if(KEYSTRAP_HARDEN)
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-clash-protection -fcf-protection=full
                        -fzero-call-used-regs=used-gpr)
    add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
if(KEYSTRAP_SANITIZE)
    add_compile_options(-fsanitize=${KEYSTRAP_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${KEYSTRAP_SANITIZE})
endif()
if(KEYSTRAP_FUZZERS)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_link_options(-Wl,--as-needed)
