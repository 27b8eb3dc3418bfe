/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a quota file has three parts, none of which may be guessed:
 *
 *   /proc/self/cgroup      where the process is in its hierarchy:    0::/docker/7f/job
 *   /proc/self/mountinfo   which part of the hierarchy is mounted:   root /docker/7f, and where:
 *                          mount point /sys/fs/cgroup
 *   so the files to read   /sys/fs/cgroup/job/cpu.max and, for the ancestor, /sys/fs/cgroup/cpu.max
 *
 * Every mount that holds the process is walked, so it does not matter which one shows most
 * ancestors. What lies above the root of a mount is hidden from this process.
 *
 * Lines and paths are held in one block from the library's allocator, because two paths and a line
 * buffer are too much for the stack of a task.
 */
#include "os/cgroup.h"

#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2 * PATH_MAX, NUMBER_FILE_MAX_BYTES = 64 };

struct line_reader {
    int file;
    size_t begin; /* of what has not been handed out yet */
    size_t end;
    char bytes[LINE_MAX_BYTES];
};

/* One search for the quota. */
struct search {
    const char *root;
    uint64_t milli_cpus; /* the smallest so far */
    bool in_v2;
    bool in_v1;
    char v2_group[PATH_MAX]; /* where in_v2: path of this process within the unified hierarchy */
    char v1_group[PATH_MAX]; /* where in_v1: the same for the hierarchy of the cpu controller */
    char path[2 * PATH_MAX];
    struct line_reader lines;
};

/* Reads the quota of the cgroup whose directory is the first `length` bytes of s->path. */
typedef uint64_t quota_reader(struct search *s, size_t length);

static ssize_t read_again(int file, char *bytes, size_t size_bytes)
{
    ssize_t count;
    do {
        count = read(file, bytes, size_bytes);
    } while (count == -1 && errno == EINTR);
    return count;
}

/* The next line without its newline, valid until the next call; NULL at the end of the file or on
 * an error. A line that does not fit is left out: only mounts of other kinds have such lines. */
static char *next_line(struct line_reader *r)
{
    bool too_long = false;
    for (;;) {
        char *line = r->bytes + r->begin;
        char *newline = memchr(line, '\n', r->end - r->begin);
        if (newline != NULL) {
            *newline = '\0';
            r->begin = (size_t)(newline - r->bytes) + 1;
            if (!too_long)
                return line;
            too_long = false;
            continue;
        }
        memmove(r->bytes, line, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
        if (r->end == sizeof r->bytes) {
            too_long = true;
            r->end = 0;
        }
        ssize_t count = read_again(r->file, r->bytes + r->end, sizeof r->bytes - r->end);
        if (count <= 0)
            return NULL; /* the kernel ends every line, so nothing is left over */
        r->end += (size_t)count;
    }
}

/* Opens root + path for next_line(); false where it cannot be read. */
static bool open_lines(struct search *s, const char *path)
{
    int length = snprintf(s->path, sizeof s->path, "%s%s", s->root, path);
    if (length < 0 || (size_t)length >= sizeof s->path)
        return false;
    s->lines.begin = 0;
    s->lines.end = 0;
    s->lines.file = open(s->path, O_RDONLY | O_CLOEXEC);
    return s->lines.file != -1;
}

/* Reads the file `name` of the cgroup whose directory is the first `length` bytes of s->path. */
static bool read_number_file(struct search *s, size_t length, const char *name, char *text)
{
    size_t room_bytes = sizeof s->path - length;
    int count = snprintf(s->path + length, room_bytes, "/%s", name);
    if (count < 0 || (size_t)count >= room_bytes)
        return false;
    int file = open(s->path, O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return false;
    ssize_t size_bytes = read_again(file, text, NUMBER_FILE_MAX_BYTES - 1);
    close(file);
    if (size_bytes <= 0)
        return false;
    text[size_bytes] = '\0';
    return true;
}

/* Reads digits at *text up to `end`, or up to the end of the text, and steps over both; false where
 * there is anything else. */
static bool parse_number(const char **text, char end, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    }
    if (*at != end && *at != '\0')
        return false;
    *text = at + (*at != '\0');
    *number = value;
    return true;
}

static uint64_t quota_of(uint64_t quota_us, uint64_t period_us)
{
    uint64_t scaled;
    if (quota_us == 0 || period_us == 0 || __builtin_mul_overflow(quota_us, 1000u, &scaled))
        return FILCH__CGROUP_UNLIMITED;
    return scaled / period_us;
}

/* "150000 100000"; "max 100000" does not begin with a digit and so limits nothing. */
static uint64_t read_v2_quota(struct search *s, size_t length)
{
    char text[NUMBER_FILE_MAX_BYTES];
    const char *at = text;
    uint64_t quota_us;
    uint64_t period_us;
    if (!read_number_file(s, length, "cpu.max", text) || !parse_number(&at, ' ', &quota_us) ||
        !parse_number(&at, '\n', &period_us))
        return FILCH__CGROUP_UNLIMITED;
    return quota_of(quota_us, period_us);
}

/* Two files with a number each; a quota of -1 does not begin with a digit and limits nothing. */
static uint64_t read_v1_quota(struct search *s, size_t length)
{
    char text[NUMBER_FILE_MAX_BYTES];
    const char *at = text;
    uint64_t quota_us;
    uint64_t period_us;
    if (!read_number_file(s, length, "cpu.cfs_quota_us", text) ||
        !parse_number(&at, '\n', &quota_us))
        return FILCH__CGROUP_UNLIMITED;
    at = text;
    if (!read_number_file(s, length, "cpu.cfs_period_us", text) ||
        !parse_number(&at, '\n', &period_us))
        return FILCH__CGROUP_UNLIMITED;
    return quota_of(quota_us, period_us);
}

/* The path of `group` below `mount_root`, both paths within one hierarchy; NULL where the group is
 * not below it, as for a mount of another container's cgroup, or for a process that is outside its
 * own cgroup namespace (which the kernel shows as "/.."). */
static const char *path_below(const char *group, const char *mount_root)
{
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    if (strncmp(group, mount_root, length) != 0)
        return NULL;
    const char *below = group + length;
    if (strcmp(below, "/") == 0)
        below = "";
    if ((below[0] != '/' && below[0] != '\0') || strncmp(below, "/..", 3) == 0)
        return NULL;
    return below;
}

/* Looks at the group and at each of its ancestors up to the mount point. */
static void walk_up(struct search *s, const char *mount_point, const char *below,
                    quota_reader *read_quota)
{
    int top = snprintf(s->path, sizeof s->path, "%s%s", s->root, mount_point);
    if (top < 0 || (size_t)top >= sizeof s->path)
        return;
    size_t top_length = (size_t)top;
    size_t length = top_length + strlen(below);
    if (length >= sizeof s->path)
        return;
    memcpy(s->path + top_length, below, length - top_length);
    for (;;) {
        uint64_t milli_cpus = read_quota(s, length);
        if (milli_cpus < s->milli_cpus)
            s->milli_cpus = milli_cpus;
        if (length == top_length)
            return;
        do {
            length--;
        } while (length > top_length && s->path[length] != '/');
    }
}

/* Is `word` an element of the comma-separated list? */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* Cuts the text up to `separator` off *rest; NULL where there is no further one. */
static char *cut(char **rest, const char *separator)
{
    char *field = *rest;
    char *end = strstr(field, separator);
    if (end == NULL)
        return NULL;
    *end = '\0';
    *rest = end + strlen(separator);
    return field;
}

/* In place: the kernel writes space, tab, newline and backslash in mountinfo as \ooo. */
static void decode_octal(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* False, with nothing copied, where it is no absolute path of a length that the kernel can have. */
static bool copy_path(char *to, const char *from)
{
    size_t size_bytes = strlen(from) + 1;
    if (from[0] != '/' || size_bytes > PATH_MAX)
        return false;
    memcpy(to, from, size_bytes);
    return true;
}

/* Lines of "number:controllers:path"; the unified hierarchy is number 0 without controllers. */
static void find_groups(struct search *s)
{
    if (!open_lines(s, "/proc/self/cgroup"))
        return;
    char *line;
    while ((line = next_line(&s->lines)) != NULL) {
        char *group = line;
        const char *number = cut(&group, ":");
        const char *controllers = number == NULL ? NULL : cut(&group, ":");
        if (controllers == NULL)
            continue;
        if (strcmp(number, "0") == 0 && controllers[0] == '\0')
            s->in_v2 |= copy_path(s->v2_group, group);
        else if (list_has(controllers, "cpu"))
            s->in_v1 |= copy_path(s->v1_group, group);
    }
    close(s->lines.file);
}

/* One line of mountinfo: "31 23 0:28 ROOT MOUNT-POINT options [tags] - TYPE source OPTIONS". */
static void look_at_mount(struct search *s, char *line)
{
    char *rest = line;
    for (int i = 0; i < 3; i++) {
        if (cut(&rest, " ") == NULL)
            return;
    }
    char *mount_root = cut(&rest, " ");
    char *mount_point = mount_root == NULL ? NULL : cut(&rest, " ");
    if (mount_point == NULL || cut(&rest, " - ") == NULL)
        return;
    const char *type = cut(&rest, " ");
    if (type == NULL || cut(&rest, " ") == NULL)
        return;
    bool is_v2 = s->in_v2 && strcmp(type, "cgroup2") == 0;
    bool is_v1 = s->in_v1 && strcmp(type, "cgroup") == 0 && list_has(rest, "cpu");
    if (!is_v2 && !is_v1)
        return;
    decode_octal(mount_root);
    decode_octal(mount_point);
    const char *below = path_below(is_v2 ? s->v2_group : s->v1_group, mount_root);
    if (below != NULL)
        walk_up(s, mount_point, below, is_v2 ? read_v2_quota : read_v1_quota);
}

int filch__cgroup_quota(const char *root, uint64_t *milli_cpus)
{
    if (milli_cpus == NULL)
        return EINVAL;
    int saved_errno = errno;
    struct search *s = filch__os->alloc(sizeof *s, _Alignof(struct search));
    if (s == NULL)
        return ENOMEM;
    s->root = root != NULL ? root : "";
    s->milli_cpus = FILCH__CGROUP_UNLIMITED;
    s->in_v2 = false;
    s->in_v1 = false;
    find_groups(s);
    if ((s->in_v2 || s->in_v1) && open_lines(s, "/proc/self/mountinfo")) {
        char *line;
        while ((line = next_line(&s->lines)) != NULL)
            look_at_mount(s, line);
        close(s->lines.file);
    }
    *milli_cpus = s->milli_cpus;
    filch__os->free(s);
    errno = saved_errno;
    return 0;
}
