//! What a confined process can and cannot do, with the shell as the worker.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "the helpers of a test fail the test")]

use std::path::{Path, PathBuf};

use chela_process::{FileRules, Kernel, NetworkRule, Sandbox, WorkerCommand, WorkerExit, spawn_worker};
use tokio::io::AsyncReadExt as _;

/// Runs a shell script in a sandbox; returns how it ended and what it printed.
async fn run(script: &str, cwd: &Path, sandbox: Sandbox) -> (WorkerExit, String) {
    let mut command = WorkerCommand::new("/bin/sh");
    command.args = vec!["-c".into(), script.into()];
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    command.cwd = cwd.into();
    command.sandbox = Some(sandbox);
    let mut process = spawn_worker(command).unwrap();
    let exit = process.control.wait().await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout.read_to_string(&mut out).await.unwrap();
    process.stderr.read_to_string(&mut err).await.unwrap();
    (exit, format!("{out}{err}"))
}

fn system() -> Vec<PathBuf> {
    ["/bin", "/lib", "/lib64", "/usr"].map(PathBuf::from).into()
}

/// True when this machine can confine files; a test says so and ends otherwise.
fn can_confine() -> bool {
    let kernel = Kernel::probe();
    if kernel.landlock == 0 || !kernel.seccomp {
        eprintln!("skipped: this kernel has no sandbox ({kernel:?})");
        return false;
    }
    true
}

#[tokio::test]
async fn only_granted_files_are_reached() {
    if !can_confine() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["open", "own", "shut"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("file"), name).unwrap();
    }
    std::os::unix::fs::symlink(dir.path().join("shut"), dir.path().join("own/link")).unwrap();
    let files = FileRules {
        read: [system(), vec![dir.path().join("open"), dir.path().join("absent")]].concat(),
        write: vec![dir.path().join("own"), "/dev/null".into()],
        execute: system(),
    };
    let script =
        "for f in open own shut own/link; do cat $f/file; echo x > $f/new && echo -n +; done; ls shut; mv own/file own/moved && ls own";
    let (exit, text) = run(script, dir.path(), Sandbox { files: Some(files), processes: true, ..Sandbox::default() }).await;
    assert_eq!(exit, WorkerExit::Code(0), "{text}");
    for held in ["openown+", "cat: shut/file: Permission denied", "own/link/file: Permission denied", "'shut': Permission denied", "moved"]
    {
        assert!(text.contains(held), "{held}: {text}");
    }
    assert!(!dir.path().join("open/new").exists() && !dir.path().join("shut/new").exists());
}

#[tokio::test]
async fn only_granted_programs_run_and_children_are_denied() {
    if !can_confine() {
        return;
    }
    let shell = std::fs::canonicalize("/bin/sh").unwrap();
    let files = FileRules {
        read: system(),
        execute: vec![shell, "/lib64/ld-linux-x86-64.so.2".into(), "/lib/ld-linux-aarch64.so.1".into()],
        ..FileRules::default()
    };
    let (exit, text) =
        run("ls /; echo goes on", Path::new("/"), Sandbox { files: Some(files), processes: true, ..Sandbox::default() }).await;
    assert!(exit == WorkerExit::Code(0) && text.contains("Permission denied") && text.contains("goes on"), "{exit:?} {text}");

    let (exit, text) = run("echo before; ls /; echo after", Path::new("/"), Sandbox::default()).await;
    assert!(text.contains("before") && !text.contains("etc") && exit != WorkerExit::Code(0), "{exit:?} {text}");
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_made_starts_nothing() {
    let bad = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/\xff"));
    let mut command = WorkerCommand::new("/bin/true");
    command.sandbox =
        Some(Sandbox { files: Some(FileRules { read: vec![bad], ..FileRules::default() }), network: NetworkRule::Any, processes: true });
    let error = spawn_worker(command).unwrap_err().to_string();
    assert!(error.contains("valid UTF-8"), "{error}");
}

#[tokio::test]
async fn a_gateway_with_workers_hides_its_memory() {
    let mut worker = spawn_worker(WorkerCommand::new("/bin/true")).unwrap();
    worker.control.wait().await.unwrap();
    assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
}
