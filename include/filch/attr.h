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

/* For clang's -Wthread-safety: what is a lock, and what a function does with one. C's members can be
 * annotated with FILCH_GUARDED_BY(lock) since clang 19. */
#if defined(__clang__)
#define FILCH__CAPABILITY(name) __attribute__((capability(name)))
#define FILCH__ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define FILCH__ACQUIRES_SHARED(...) __attribute__((acquire_shared_capability(__VA_ARGS__)))
#define FILCH__TRY_ACQUIRES(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define FILCH__TRY_ACQUIRES_SHARED(...) __attribute__((try_acquire_shared_capability(__VA_ARGS__)))
#define FILCH__RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define FILCH__RELEASES_SHARED(...) __attribute__((release_shared_capability(__VA_ARGS__)))
#define FILCH__REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define FILCH__ASSERTS(...) __attribute__((assert_capability(__VA_ARGS__)))
#define FILCH__ASSERTS_SHARED(...) __attribute__((assert_shared_capability(__VA_ARGS__)))
#define FILCH__UNCHECKED __attribute__((no_thread_safety_analysis))
#else
#define FILCH__CAPABILITY(name)
#define FILCH__ACQUIRES(...)
#define FILCH__ACQUIRES_SHARED(...)
#define FILCH__TRY_ACQUIRES(...)
#define FILCH__TRY_ACQUIRES_SHARED(...)
#define FILCH__RELEASES(...)
#define FILCH__RELEASES_SHARED(...)
#define FILCH__REQUIRES(...)
#define FILCH__ASSERTS(...)
#define FILCH__ASSERTS_SHARED(...)
#define FILCH__UNCHECKED
#endif
#if defined(__clang__) && (defined(__cplusplus) || __clang_major__ >= 19)
#define FILCH_GUARDED_BY(lock) __attribute__((guarded_by(lock)))
#else
#define FILCH_GUARDED_BY(lock)
#endif

#endif
