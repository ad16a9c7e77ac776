//! What the kernel offers for sandboxes, found by asking it.

use std::sync::OnceLock;

use serde::Serialize;

/// Means of this kernel. Nothing is assumed from its version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kernel {
    /// Landlock's interface version, 0 without Landlock. 1 confines files, 6 also abstract sockets and signals.
    pub landlock: u32,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
    /// Whether a filter can ask another process, which can fetch descriptors (Linux 5.6).
    pub ask: bool,
}

impl Kernel {
    /// The running kernel; asked once.
    pub fn probe() -> Self {
        static FOUND: OnceLock<Kernel> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let seccomp = has_action(libc::SECCOMP_RET_ERRNO);
            Self {
                landlock: landlock_version(),
                seccomp,
                ask: seccomp && has_action(libc::SECCOMP_RET_USER_NOTIF) && has_pidfd_getfd() && may_look_into_children(),
            }
        })
    }
}

fn landlock_version() -> u32 {
    const VERSION: libc::c_ulong = 1;
    #[allow(unsafe_code, reason = "the crate `landlock` does not tell the version")]
    // SAFETY: with this flag the call takes no memory and changes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

fn has_action(action: u32) -> bool {
    #[allow(unsafe_code, reason = "seccomp has no safe wrapper in the dependencies")]
    // SAFETY: the call reads one number behind a pointer that lives long enough, and changes nothing.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    answer == 0
}

fn has_pidfd_getfd() -> bool {
    #[allow(unsafe_code, reason = "no safe wrapper takes a wrong descriptor")]
    // SAFETY: both descriptors are invalid, so nothing can come of it but an error.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_getfd, -1, -1, 0) };
    answer == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EBADF)
}

/// Yama can forbid to look into other processes, one's own children included.
fn may_look_into_children() -> bool {
    let scope = fs_err::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let level: u32 = scope.trim().parse().unwrap_or(0);
    level < 2 || (level == 2 && rustix::process::geteuid().is_root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_the_same_twice() {
        let kernel = Kernel::probe();
        assert_eq!(kernel, Kernel::probe());
        assert!(!kernel.ask || kernel.seccomp, "{kernel:?}");
    }
}
