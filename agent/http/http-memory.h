/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Memory of libraries that is erased when they give it back.
 */

#include <stddef.h>

/**
 * erasing_malloc(), erasing_calloc(), erasing_realloc(), erasing_strdup(), erasing_free() - as the functions without
 * "erasing_", whose memory they take; what is given back, or left behind by a move, is overwritten first
 */
void *erasing_malloc(size_t size);
void *erasing_calloc(size_t count, size_t size);
void *erasing_realloc(void *memory, size_t size);
char *erasing_strdup(const char *text);
void erasing_free(void *memory);

/**
 * http_memory_init() - have OpenSSL use them; before anything else of OpenSSL is called
 *
 * Return: 0; -EALREADY when it was too late.
 */
int http_memory_init(void);

/**
 * http_memory_erase_stack() - overwrite what functions that have returned left on the stack of this thread
 */
void http_memory_erase_stack(void);
