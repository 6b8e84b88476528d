/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of the engine. A value is the negative Linux errno, so that kvm/ passes it on as is.
 */
#ifndef ENGINE_ERR_H
#define ENGINE_ERR_H

/* X(name, Linux errno, meaning) */
#define ENGINE_ERRORS(X)                                                                           \
	X(PERM, 1, "not permitted by a policy the VM enabled")                                     \
	X(NOENT, 2, "no such slot or mapping")                                                     \
	X(INTR, 4, "a signal came first")                                                          \
	X(NXIO, 6, "not available in this mode")                                                   \
	X(2BIG, 7, "too large")                                                                    \
	X(BADF, 9, "no such open file")                                                            \
	X(AGAIN, 11, "raced with an invalidation; try again")                                      \
	X(NOMEM, 12, "no memory")                                                                  \
	X(FAULT, 14, "no accessible host mapping")                                                 \
	X(EXIST, 17, "overlaps what exists")                                                       \
	X(INVAL, 22, "not a valid argument")                                                       \
	X(NOSPC, 28, "no free number")                                                             \
	X(NOSYS, 38, "an access without syndrome")                                                 \
	X(HWPOISON, 133, "the host page is poisoned")

enum err {
	ERR_OK = 0,
#define X(name, number, meaning) ERR_##name = -(number),
	ENGINE_ERRORS(X)
#undef X
};

/* The meaning of @error as a phrase; never NULL. */
const char *err_text(int error);
/* The name of @error without ERR_; never NULL. */
const char *err_name(int error);

#endif
