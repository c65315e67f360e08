/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#define SANDBOX_DEVICES 1u /* existing files may be opened for reading and writing, and are asked what serial lines are */

/**
 * sandbox_enter() - give up, for this process and for ever, what no transport program needs
 *
 * No core dump and no ptrace by others of the same user; no new privileges; and a filter of system calls
 * that leaves files to read, AF_UNIX sockets, memory that is not executable, and threads. No program can
 * be executed, no file written or created, no network reached, no other process touched. A call that is not
 * allowed fails with EPERM. To be called before threads start.
 *
 * @flags: SANDBOX_DEVICES for a program that opens a device itself: file permissions and the unit's DeviceAllow= say
 * which one it can be.
 *
 * Return: 0; a negative errno, and then the program must not go on.
 */
int sandbox_enter(unsigned flags);
