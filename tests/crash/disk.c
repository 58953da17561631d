/*
 * Loaded before libc into a program under test (LD_PRELOAD): records what the program does to its
 * databases, in the order in which it does it, or lets one of these calls fail. Whatever is not a
 * database passes through untouched; so does the memory-mapped index beside a log, which is rebuilt.
 *
 * CALYX_DISK_LOG  where to record: kind, file, offset, length and bytes of each call.
 * CALYX_DISK_FAIL "enospc:N" the N-th write from now on and all later ones find the disk full,
 *                 "eio:N"    the N-th write or sync from now on fails, once, as a disk reports it,
 *                 "sync:N"   the N-th sync from now on fails, once.
 * A write to a file called "disk-fails" says the same while the program runs ("eio:0": nothing fails any
 * more), and the file then holds how many calls there were since it was said before. A write to a file
 * called "acknowledged" is recorded as a mark. Neither ever fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, SYNC = 3, TRUNCATE = 4, UNLINK = 5, MARK = 6, LOST = 7 };
enum { MOST_FDS = 4096, MOST_FILES = 256, MARKS = 1, ORDERS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By descriptor: 0 for files that are none of ours, 1 for marks, 2 for orders, else the number of the file. */
static uint32_t file_of[MOST_FDS];
static char *paths[MOST_FILES];
static uint32_t files = ORDERS;
static int log_fd = -1;
static long calls, fail_at;
static int fail_with, fail_syncs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int raw_open(const char *path) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) abort();
  /* Out of the way of descriptors that the program looks at. */
  int high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 1000);
  syscall(SYS_close, fd);
  return high;
}

static void order(const char *text) {
  calls = fail_syncs = 0;
  if (!strncmp(text, "enospc:", 7)) { fail_with = ENOSPC; fail_at = atol(text + 7); }
  if (!strncmp(text, "eio:", 4)) { fail_with = EIO; fail_at = atol(text + 4); }
  if (!strncmp(text, "sync:", 5)) { fail_with = EIO; fail_at = atol(text + 5); fail_syncs = 1; }
}

static void begin(void) {
  const char *path = getenv("CALYX_DISK_LOG");
  const char *fail = getenv("CALYX_DISK_FAIL");
  if (path) log_fd = raw_open(path);
  if (fail) order(fail);
}

static void record(uint32_t kind, uint32_t file, uint64_t offset, const void *bytes, uint32_t length) {
  if (log_fd < 0) return;
  struct { uint32_t kind, file; uint64_t offset; uint32_t length, spare; } head = { kind, file, offset, length, 0 };
  struct iovec parts[2] = { { &head, sizeof head }, { (void *)bytes, length } };
  if (syscall(SYS_writev, log_fd, parts, 2) != (long)(sizeof head + length)) abort();
}

static int ends(const char *text, const char *end) {
  size_t a = strlen(text), b = strlen(end);
  return a >= b && !strcmp(text + a - b, end);
}

static int is_database(const char *path) {
  static const char *const names[] = { "license-server.db", "clearinghouse.db", 0 };
  static const char *const parts[] = { "", "-wal", "-journal", 0 };
  const char *base = strrchr(path, '/');
  base = base ? base + 1 : path;
  for (int n = 0; names[n]; n += 1)
    for (int p = 0; parts[p]; p += 1)
      if (!strncmp(base, names[n], strlen(names[n])) && !strcmp(base + strlen(names[n]), parts[p])) return 1;
  return 0;
}

static void opened(int fd, const char *path) {
  pthread_once(&once, begin);
  if (fd < 0 || fd >= MOST_FDS) return;
  pthread_mutex_lock(&lock);
  file_of[fd] = 0;
  if (ends(path, "/acknowledged")) file_of[fd] = MARKS;
  else if (ends(path, "/disk-fails")) file_of[fd] = ORDERS;
  else if (is_database(path)) {
    uint32_t file = ORDERS + 1;
    while (file <= files && strcmp(paths[file], path)) file += 1;
    if (file >= MOST_FILES) abort();
    if (file > files) {
      files = file;
      paths[file] = strdup(path);
      record(OPEN, file, 0, path, (uint32_t)strlen(path));
    }
    file_of[fd] = file;
  }
  pthread_mutex_unlock(&lock);
}

static uint32_t known(int fd) { return fd >= 0 && fd < MOST_FDS ? file_of[fd] : 0; }

/* Whether this call is the one that fails; sets errno. A full disk stays full, but can still sync. */
static int fails(int syncs) {
  if (fail_syncs && !syncs) return 0;
  calls += 1;
  if (fail_at == 0 || (fail_with == ENOSPC ? syncs || calls < fail_at : calls != fail_at)) return 0;
  errno = fail_with;
  return 1;
}

/* Leaves in the file how many calls there were, as ten digits, and obeys what was written to it. */
static ssize_t ordered(int fd, const void *bytes, size_t length) {
  char text[32] = "", count[32];
  memcpy(text, bytes, length < sizeof text ? length : sizeof text - 1);
  int digits = snprintf(count, sizeof count, "%010ld", calls);
  if (syscall(SYS_pwrite64, fd, count, digits, 0) != digits) abort();
  order(text);
  return (ssize_t)length;
}

static ssize_t wrote(int fd, const void *bytes, size_t length, off64_t offset) {
  uint32_t file = known(fd);
  pthread_mutex_lock(&lock);
  ssize_t done = -1;
  if (file == ORDERS) done = ordered(fd, bytes, length);
  else if (file == MARKS || !fails(0)) {
    if (file == MARKS) record(MARK, file, 0, bytes, (uint32_t)length);
    done = offset < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (done > 0 && file > ORDERS) {
      uint64_t at = offset >= 0 ? (uint64_t)offset : (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - (uint64_t)done;
      record(WRITE, file, at, bytes, (uint32_t)done);
    }
  }
  pthread_mutex_unlock(&lock);
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  return known(fd) ? wrote(fd, bytes, length, -1) : syscall(SYS_write, fd, bytes, length);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return known(fd) ? wrote(fd, bytes, length, offset) : syscall(SYS_pwrite64, fd, bytes, length, offset);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return pwrite(fd, bytes, length, offset); }

/* A vector that reached a database would go unrecorded: nobody writes one so, and it must stay that way. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (known(fd)) abort();
  return syscall(SYS_writev, fd, parts, count);
}

static int synced(int fd, long number) {
  uint32_t file = known(fd);
  if (file <= ORDERS) return (int)syscall(number, fd);
  pthread_mutex_lock(&lock);
  int done = -1;
  if (!fails(1)) {
    done = (int)syscall(number, fd);
    if (done == 0) record(SYNC, file, 0, "", 0);
  } else record(LOST, file, 0, "", 0);
  pthread_mutex_unlock(&lock);
  return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t length) {
  uint32_t file = known(fd);
  pthread_mutex_lock(&lock);
  int done = file > ORDERS && fails(0) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
  if (done == 0 && file > ORDERS) record(TRUNCATE, file, (uint64_t)length, "", 0);
  pthread_mutex_unlock(&lock);
  return done;
}
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  for (uint32_t file = ORDERS + 1; file <= files; file += 1)
    if (!strcmp(paths[file], path)) record(UNLINK, file, 0, "", 0);
  pthread_mutex_unlock(&lock);
  return (int)syscall(SYS_unlink, path);
}

int close(int fd) {
  if (fd >= 0 && fd < MOST_FDS) file_of[fd] = 0;
  return (int)syscall(SYS_close, fd);
}

#define OPENS(name)                                                       \
  int name(const char *path, int flags, ...) {                            \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                         \
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);       \
    opened(fd, path);                                                     \
    return fd;                                                            \
  }
OPENS(open)
OPENS(open64)
