/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The subcommands of keystrap-lab that run the product: the demo, and a shell or a command in a world.
 *
 * As in lab.h: argc and argv as main() would get them, the exit code of the program is returned.
 */

/**
 * demo_main() - tell, step by step, how a key comes from a SIM to an application: "keystrap-lab demo [--keep]"
 *
 * Return: 0 only when the NAF has let the application in; 77 without root.
 */
int demo_main(int argc, char **argv);

/**
 * world_main() - "keystrap-lab world [--subscriber NAME] [--without INHABITANT] [COMMAND...]"
 *
 * Return: the exit code of COMMAND (or of a shell); 126 when the world did not come up; 77 without root.
 */
int world_main(int argc, char **argv);
