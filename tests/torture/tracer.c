/* Runs a program and disturbs its system calls on the files of one folder, in all of its threads.
 *
 *   tracer FOLDER CALL FIRST COUNT ACTION REPORT PROGRAM [ARGUMENT...]
 *
 * The calls numbered FIRST to FIRST + COUNT - 1 (from 1) of the kind CALL get ACTION:
 *
 *   count        nothing; REPORT gets the number of calls of each kind
 *   kill         SIGKILL before the call
 *   kill-after   SIGKILL after the call
 *   torn         the call writes half of its bytes, then SIGKILL
 *   ENOSPC, EIO  the call is not done and fails with that error
 *
 * CALL is a kind of KINDS, `change` for every kind that changes a file, or `any`. REPORT gets a line
 * `KIND PATH` for each disturbed call. The exit status is that of the program, or 128 and the signal
 * that ended it. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN, CREATE, WRITE, SYNC, RENAME, UNLINK, MKDIR, TRUNCATE, CHMOD, LOCK, LINK, COPY, READ, LIST, NKINDS };
static const char *KINDS[NKINDS] = { "open", "create", "write", "sync", "rename", "unlink", "mkdir", "truncate",
                                     "chmod", "lock", "link", "copy", "read", "list" };

static int changes(int kind) {
    return kind != OPEN && kind != READ && kind != LIST && kind != LOCK;
}

/* Where the path of a call is: a path relative to the folder of a descriptor, or a descriptor. */
struct call {
    int kind;
    int dirfd;   /* index of the argument, -1 for the working folder */
    int path;    /* index of the argument, -1 if the call has a descriptor */
    int fd;      /* index of the argument */
};

static int lookup(uint64_t number, const uint64_t *args, struct call *call) {
    *call = (struct call){ -1, -1, -1, 0 };
#define AT(KIND, DIRFD, PATH) do { call->kind = KIND; call->dirfd = DIRFD; call->path = PATH; return 1; } while (0)
#define FD(KIND, ARGUMENT) do { call->kind = KIND; call->fd = ARGUMENT; return 1; } while (0)
    switch (number) {
    case SYS_openat: AT(args[2] & O_CREAT ? CREATE : OPEN, 0, 1);
    case SYS_write: case SYS_pwrite64: case SYS_writev: FD(WRITE, 0);
    case SYS_fsync: case SYS_fdatasync: FD(SYNC, 0);
    case SYS_renameat2: AT(RENAME, 2, 3);
    case SYS_unlinkat: AT(UNLINK, 0, 1);
    case SYS_mkdirat: AT(MKDIR, 0, 1);
    case SYS_ftruncate: case SYS_fallocate: FD(TRUNCATE, 0);
    case SYS_fchmod: FD(CHMOD, 0);
    case SYS_fchmodat: AT(CHMOD, 0, 1);
    case SYS_flock: FD(LOCK, 0);
    case SYS_linkat: AT(LINK, 2, 3);
    case SYS_copy_file_range: FD(COPY, 2);
    case SYS_sendfile: FD(COPY, 0);
    case SYS_read: case SYS_pread64: case SYS_readv: FD(READ, 0);
    case SYS_getdents64: FD(LIST, 0);
#ifdef SYS_renameat
    case SYS_renameat: AT(RENAME, 2, 3);
#endif
#ifdef SYS_open
    case SYS_open: AT(args[1] & O_CREAT ? CREATE : OPEN, -1, 0);
    case SYS_rename: AT(RENAME, -1, 1);
    case SYS_unlink: case SYS_rmdir: AT(UNLINK, -1, 0);
    case SYS_mkdir: AT(MKDIR, -1, 0);
    case SYS_chmod: AT(CHMOD, -1, 0);
    case SYS_link: AT(LINK, -1, 1);
#endif
    }
    return 0;
}

/* The path of a call; empty if it has none. */
static void path_of(pid_t pid, const struct call *call, const uint64_t *args, char *out, size_t size) {
    char link[64], name[4096] = "";
    out[0] = 0;
    if (call->path >= 0) {
        struct iovec local = { name, sizeof name - 1 };
        struct iovec remote = { (void *)args[call->path], sizeof name - 1 };
        ssize_t read = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        if (read < 0) {
            /* The text may end before an unmapped page. */
            remote.iov_len = 4096 - (args[call->path] & 4095);
            read = process_vm_readv(pid, &local, 1, &remote, 1, 0);
        }
        if (read <= 0) return;
        if (name[0] == '/') { snprintf(out, size, "%s", name); return; }
        if (call->dirfd < 0 || (int)args[call->dirfd] == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", pid);
        else snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, (int)args[call->dirfd]);
    } else {
        snprintf(link, sizeof link, "/proc/%d/fd/%d", pid, (int)args[call->fd]);
    }
    ssize_t length = readlink(link, out, size - 1);
    if (length < 0) length = 0;
    out[length] = 0;
    if (call->path >= 0) snprintf(out + length, size - length, "/%s", name);
}

/* Registers: skip a call that is entered, set the result of one that ends, set the size of a write. */
#if defined __x86_64__
static void set(pid_t pid, int what, long long value) {
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    if (what == 'n') regs.orig_rax = value;
    if (what == 'r') regs.rax = value;
    if (what == 's') regs.rdx = value;
    ptrace(PTRACE_SETREGS, pid, 0, &regs);
}
#elif defined __aarch64__
static void set(pid_t pid, int what, long long value) {
    if (what == 'n') {
        int number = value;
        struct iovec vector = { &number, sizeof number };
        ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &vector);
        return;
    }
    struct user_regs_struct regs;
    struct iovec vector = { &regs, sizeof regs };
    ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector);
    regs.regs[what == 'r' ? 0 : 2] = value;
    ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &vector);
}
#else
#error "unknown registers"
#endif

enum { MAX_PID = 1 << 22 };
enum { NOTHING, FAIL, KILL };
static unsigned char pending[MAX_PID];

int main(int argc, char **argv) {
    if (argc < 8) return 2;
    const char *folder = argv[1], *kind = argv[2], *action = argv[5];
    long first = atol(argv[3]), count = atol(argv[4]), seen = 0, counts[NKINDS] = { 0 };
    int error = !strcmp(action, "ENOSPC") ? ENOSPC : !strcmp(action, "EIO") ? EIO : 0;
    FILE *report = fopen(argv[6], "w");
    if (!report) return 2;
    pid_t child = fork();
    if (child == 0) {
        fclose(report);
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[7], argv + 7);
        _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status)) return 2;
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) < 0) return 2;
    ptrace(PTRACE_SYSCALL, child, 0, 0);
    size_t folder_length = strlen(folder);
    int result = 0;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0) break;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == child) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int stop = WSTOPSIG(status), signal = 0;
        if (stop == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            /* A thread that another one has ended in the meantime has no call; waitpid reports its end next. */
            if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0) continue;
            if (info.op == PTRACE_SYSCALL_INFO_EXIT && pid < MAX_PID && pending[pid]) {
                if (pending[pid] == KILL) kill(child, SIGKILL);
                else set(pid, 'r', -error);
                pending[pid] = NOTHING;
            }
            struct call call;
            char path[8192];
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY && lookup(info.entry.nr, info.entry.args, &call)) {
                path_of(pid, &call, info.entry.args, path, sizeof path);
                int is_inside = !strncmp(path, folder, folder_length) && path[folder_length] == '/';
                int is_kind = !strcmp(kind, "any") || (!strcmp(kind, "change") && changes(call.kind)) ||
                              !strcmp(kind, KINDS[call.kind]);
                if (is_inside) counts[call.kind]++;
                if (is_inside && is_kind && ++seen >= first && seen - first < count && strcmp(action, "count")) {
                    fprintf(report, "%s %s\n", KINDS[call.kind], path);
                    fflush(report);
                    if (!strcmp(action, "torn") && info.entry.nr == SYS_write)
                        set(pid, 's', info.entry.args[2] / 2);
                    if (error) { set(pid, 'n', -1); pending[pid] = FAIL; }
                    else if (strcmp(action, "kill")) pending[pid] = KILL;
                    else kill(child, SIGKILL);
                }
            }
        } else if (stop == SIGTRAP && status >> 16) {
            /* A new thread or a new program. */
        } else if (stop == SIGSTOP) {
            /* The first stop of a new thread. */
        } else {
            signal = stop;
        }
        ptrace(PTRACE_SYSCALL, pid, 0, signal);
    }
    if (!strcmp(action, "count"))
        for (int i = 0; i < NKINDS; i++) fprintf(report, "%s %ld\n", KINDS[i], counts[i]);
    fclose(report);
    return result;
}
