/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab: the subcommands.
 *
 * Each gets argc and argv as main() would, with argv[0] set to "keystrap-lab NAME", and returns
 * the exit code of the program.
 */

int usim_main(int argc, char **argv);
int bsf_main(int argc, char **argv);
int naf_main(int argc, char **argv);
int qmi_modem_main(int argc, char **argv);
int mbim_modem_main(int argc, char **argv);
int at_modem_main(int argc, char **argv);
int mef_main(int argc, char **argv);
int ctl_main(int argc, char **argv);
