//! Processes and signals of the operating system.

use std::path::PathBuf;
use std::process::Command;

/// A command that runs this program, also if its file was replaced or removed since it was started.
///
/// # Errors
/// When the system does not know the file of the program.
pub fn this_program() -> std::io::Result<Command> {
    let path = std::env::current_exe()?;
    // On Linux, the link leads to the program that runs, whatever has become of its file.
    let running = PathBuf::from("/proc/self/exe");
    let is_replaced = cfg!(target_os = "linux") && !path.is_file();
    Ok(Command::new(if is_replaced { running } else { path }))
}

/// Makes `command` start a process in a session of its own, which a terminal that is closed does not reach, and which
/// ignores SIGHUP, as after `nohup`.
#[cfg(unix)]
pub fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let in_child = || {
        #[expect(unsafe_code, reason = "system calls")]
        // SAFETY: both calls have no effect on memory.
        let result = unsafe {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            libc::setsid()
        };
        if result == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    #[expect(unsafe_code, reason = "runs between fork and exec")]
    // SAFETY: the closure makes system calls that are safe in a signal handler, and nothing else.
    unsafe {
        command.pre_exec(in_child);
    }
}

/// Without sessions, a process is started as any other.
#[cfg(not(unix))]
pub fn detach(_command: &mut Command) {}

/// Whether the process ignores this signal, because it was started so.
#[cfg(unix)]
pub fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    #[expect(unsafe_code, reason = "system call")]
    // SAFETY: the action is read only after the call has filled it.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn detached_process_has_a_session_of_its_own_and_ignores_a_hang_up() {
        let mut command = Command::new("sh");
        // The id of the session is the sixth field of the status on Linux.
        command.args(["-c", "kill -HUP $$; cut -d ' ' -f 6 /proc/self/stat 2>/dev/null || echo $$; echo $$"]);
        detach(&mut command);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text.lines().collect();
        assert!(output.status.success() && lines.len() == 2 && lines[0] == lines[1], "{output:?}");
    }
}
