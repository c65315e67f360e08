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
 * http_sandbox_check() - inside it: try what must not work and what must, say on stderr what is otherwise
 *
 * Return: the number of things that are.
 */
int http_sandbox_check(void);
