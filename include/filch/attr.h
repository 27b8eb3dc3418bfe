/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that the public headers share. No function is declared here. */
#ifndef FILCH_ATTR_H
#define FILCH_ATTR_H

#ifdef __cplusplus
#define FILCH_EXTERN_C_BEGIN extern "C" {
#define FILCH_EXTERN_C_END }
#define FILCH__STATIC_ASSERT static_assert
#else
#define FILCH_EXTERN_C_BEGIN
#define FILCH_EXTERN_C_END
#define FILCH__STATIC_ASSERT _Static_assert
#endif

/* Part of the shared library's interface; everything else is hidden. */
#define FILCH_API __attribute__((visibility("default")))
/* The caller must look at the result: it carries an error or an obligation. */
#define FILCH_NODISCARD __attribute__((warn_unused_result))
#define FILCH_NORETURN __attribute__((noreturn))
#define FILCH_COLD __attribute__((cold, noinline))
#define FILCH_ALWAYS_INLINE inline __attribute__((always_inline))
#define FILCH_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define FILCH_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#endif
