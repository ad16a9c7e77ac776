//! System calls: seccomp programs.
//!
//! Denied calls answer `EACCES`, which programs understand. Calls that a filter cannot judge, because their arguments lie in memory or
//! because they do the work of other calls, answer `ENOSYS`: libraries then use the older call.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp as Op, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    sock_filter,
};

use super::{NetworkRule, Sandbox};

/// Instructions of one filter.
pub(super) type Program = BpfProgram;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What no worker needs and attacks begin with: other processes, the kernel's own machinery, mounts, namespaces.
const NEVER: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
];

/// Rings do the work of any call, sockets included, past every filter.
const RINGS: &[i64] = &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// The denying filters of a sandbox.
///
/// # Errors
/// On a processor that has no filters here; the text names it.
pub(super) fn programs(sandbox: &Sandbox) -> Result<Vec<Program>, String> {
    let mut denied: Rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    let mut absent: Rules = RINGS.iter().map(|call| (*call, Vec::new())).collect();
    network(sandbox.network, &mut denied)?;
    if !sandbox.processes {
        no_processes(&mut denied)?;
        // Its flags lie in memory.
        absent.insert(libc::SYS_clone3, Vec::new());
    }
    Ok(vec![build(denied, libc::EACCES)?, build(absent, libc::ENOSYS)?])
}

fn build(rules: Rules, errno: libc::c_int) -> Result<Program, String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| format!("no sandbox for this processor: {e}"))?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(|e| e.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|e| e.to_string())?;
    Ok(without_x32(program))
}

/// On x86-64 a second set of call numbers leads to the same calls; a filter by number alone would miss them.
fn without_x32(program: Program) -> Program {
    if cfg!(target_arch = "x86_64") {
        const FIRST_X32: u32 = 0x4000_0000;
        let errno = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
        let mut whole = vec![load(0), jump(libc::BPF_JGE, FIRST_X32, 0, 1), answer(errno)];
        whole.extend(program);
        return whole;
    }
    program
}

fn condition(argument: u8, operator: Op, value: u64) -> Result<SeccompCondition, String> {
    SeccompCondition::new(argument, Dword, operator, value).map_err(|e| e.to_string())
}

fn rule<const N: usize>(conditions: [(u8, Op, u64); N]) -> Result<SeccompRule, String> {
    let conditions: Result<Vec<_>, _> = conditions.into_iter().map(|(argument, op, value)| condition(argument, op, value)).collect();
    SeccompRule::new(conditions?).map_err(|e| e.to_string())
}

fn bits(value: libc::c_int) -> u64 {
    u64::from(value.unsigned_abs())
}

/// Type of a socket without its flags.
const TYPE_MASK: u64 = 0xf;

fn network(allowed: NetworkRule, denied: &mut Rules) -> Result<(), String> {
    let stream = bits(libc::SOCK_STREAM);
    let unconnected = || rule([(1, Op::MaskedEq(TYPE_MASK), bits(libc::SOCK_DGRAM))]);
    match allowed {
        NetworkRule::Any => {}
        NetworkRule::None => {
            denied.insert(libc::SYS_socket, Vec::new());
            // A pair of datagram sockets can also send to others.
            denied.insert(libc::SYS_socketpair, vec![unconnected()?]);
        }
        NetworkRule::Asked { listen, unix } => {
            let no_family = [libc::AF_INET, libc::AF_INET6].map(|family| (0, Op::Ne, bits(family)));
            let family = match unix {
                true => rule([no_family[0].clone(), no_family[1].clone(), (0, Op::Ne, bits(libc::AF_UNIX))])?,
                false => rule(no_family)?,
            };
            let mut sockets = vec![family];
            // Only what needs `connect` to reach somebody: neither datagrams nor raw packets nor other protocols.
            for kind in (0..=TYPE_MASK).filter(|kind| *kind != stream) {
                sockets.push(rule([(1, Op::MaskedEq(TYPE_MASK), kind)])?);
            }
            sockets.push(rule([(2, Op::Ne, 0), (2, Op::Ne, bits(libc::IPPROTO_TCP))])?);
            denied.insert(libc::SYS_socket, sockets);
            denied.insert(libc::SYS_socketpair, vec![unconnected()?]);
            // Connects without `connect`.
            let fast = bits(libc::MSG_FASTOPEN);
            for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                denied.insert(call, vec![rule([(flags, Op::MaskedEq(fast), fast)])?]);
            }
            if !listen {
                denied.insert(libc::SYS_listen, Vec::new());
            }
        }
    }
    Ok(())
}

/// Threads are made by the same call as processes, with a flag.
fn no_processes(denied: &mut Rules) -> Result<(), String> {
    denied.insert(libc::SYS_clone, vec![rule([(0, Op::MaskedEq(bits(libc::CLONE_THREAD)), 0)])?]);
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_fork, libc::SYS_vfork] {
        denied.insert(call, Vec::new());
    }
    Ok(())
}

/// The filter that hands every `connect` to the gateway.
pub(super) fn ask_for_connections() -> Program {
    let number = u32::try_from(libc::SYS_connect).unwrap_or(u32::MAX);
    vec![load(0), jump(libc::BPF_JEQ, number, 0, 1), answer(libc::SECCOMP_RET_USER_NOTIF), answer(libc::SECCOMP_RET_ALLOW)]
}

/// Loads a word of the call's description: 0 is its number.
fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, value, yes, no)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // All codes are below 256.
    sock_filter { code: code as u16, jt, jf, k }
}

/// Adds a filter to the calling thread, which has no others.
pub(super) fn install(program: &[sock_filter]) -> io::Result<()> {
    seccomp(program, 0).map(|_| ())
}

/// As [`install`]; returns the descriptor that the questions come from, which does not survive `exec`.
pub(super) fn install_asking(program: &[sock_filter]) -> io::Result<OwnedFd> {
    // A signal must not break off a call that the gateway is making: it would be made twice. Older kernels (before 5.19) cannot promise it.
    let steady = seccomp(program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    let fd = steady.or_else(|_| seccomp(program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER))?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    #[allow(unsafe_code, reason = "the descriptor comes from a bare system call")]
    // SAFETY: the kernel made it for this call, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn seccomp(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let whole = libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    #[allow(unsafe_code, reason = "seccomp has no safe wrapper that returns the listener")]
    // SAFETY: `whole` names exactly the instructions of `program`, whose layout is the kernel's; the kernel only reads them.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const whole) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sandbox_has_filters_that_the_kernel_takes() {
        for network in [NetworkRule::Any, NetworkRule::None, NetworkRule::Asked { listen: false, unix: true }] {
            for processes in [false, true] {
                let programs = programs(&Sandbox { files: None, network, processes }).unwrap();
                assert!(programs.iter().all(|p| (4..4096).contains(&p.len())), "{network:?}");
            }
        }
    }
}
