/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/**
 * http_sandbox_enter() - from here on the process can look names up, speak TCP and TLS, read files and end;
 * other system calls fail with EPERM. Cannot be undone.
 *
 * Return: 0; negative errno.
 */
int http_sandbox_enter(void);

/**
 * http_sandbox_check() - try what must not work, say on stderr what did
 *
 * Return: the number of calls that were not refused.
 */
int http_sandbox_check(void);
