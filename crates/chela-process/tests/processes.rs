//! Guards and workers as real processes: whatever is killed, nothing stays behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chela_process::{ProcessTable, WorkerCommand, WorkerExit, spawn_worker};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Set for the helper process that plays the gateway.
const HELPER: &str = "CHELA_TEST_HELPER_MARK";

/// A script that starts descendants which try to get away, all of them recognisable by `mark` in their arguments.
fn runaways(mark: &str) -> String {
    format!(
        "setsid sh -c '(setsid sleep 600.{mark} &) ; sleep 600.{mark}' & \
         (setsid env -i /bin/sh -c 'trap \"\" TERM HUP; /bin/sleep 600.{mark}' &) ; \
         exec sleep 600.{mark}"
    )
}

fn shell(script: &str) -> WorkerCommand {
    let mut command = WorkerCommand::new("/bin/sh");
    command.args = vec!["-c".into(), script.into()];
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    command.orphan_grace = Duration::from_millis(100);
    command
}

/// Pids of living processes with `mark` in their command line, but for test binaries.
fn alive(mark: &str) -> Vec<u32> {
    let all = ProcessTable::read().unwrap().below(0).pids;
    all.into_iter()
        .filter(|pid| {
            let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            line.contains(mark) && (line.starts_with("sleep") || line.starts_with("/bin/sleep") || line.contains("sh -c"))
        })
        .collect()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn mark(name: &str) -> String {
    format!("{}{}", std::process::id(), name.len())
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn lanes_output_and_exit_code_pass_through_the_guard() {
    let mut worker = spawn_worker(shell("echo out; echo err >&2; head -c 2 <&3 >&4; ulimit -c; exit 7")).unwrap();
    worker.main.write_all(b"hi").await.unwrap();
    let mut lane = Vec::new();
    worker.blocking.read_to_end(&mut lane).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    worker.stdout.read_to_string(&mut out).await.unwrap();
    worker.stderr.read_to_string(&mut err).await.unwrap();
    assert_eq!((lane.as_slice(), out.as_str(), err.as_str()), (&b"hi"[..], "out\n0\n", "err\n"));
    assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::Code(7));
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let mut command = shell("env | grep -v -e ^PWD -e ^SHLVL -e ^_= -e ^CHELA_WORKER_TREE= | sort");
    command.env.insert("ONLY".into(), "this".into());
    let mut worker = spawn_worker(command).unwrap();
    let mut out = String::new();
    worker.stdout.read_to_string(&mut out).await.unwrap();
    assert_eq!(out, "ONLY=this\nPATH=/usr/bin:/bin\n");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let mut worker = spawn_worker(WorkerCommand::new("/nowhere/node")).unwrap();
    let mut err = String::new();
    worker.stderr.read_to_string(&mut err).await.unwrap();
    assert!(err.contains("cannot start `/nowhere/node`"), "{err}");
    assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::NotStarted);
}

#[tokio::test]
async fn a_guard_is_named_and_small() {
    let worker = spawn_worker(shell("sleep 600")).unwrap();
    let pid = worker.control.guard_pid();
    wait_until("the guard renames itself", || std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "chela-guard\n");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    assert_eq!(threads, 1);
}

#[tokio::test]
async fn stopping_kills_runaways_after_the_grace() {
    let mark = mark("stopping");
    let mut worker = spawn_worker(shell(&runaways(&mark))).unwrap();
    wait_until("four sleepers", || alive(&mark).len() >= 4);
    let tree = worker.control.stopper().tree(&ProcessTable::read().unwrap());
    assert!(tree.pids.len() >= 4 && tree.rss_bytes > 0, "{tree:?}");
    let exit = worker.control.kill_tree(Duration::from_millis(100)).await.unwrap();
    assert_eq!(exit, WorkerExit::Signal(15));
    assert_eq!(alive(&mark), Vec::<u32>::new());
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_runaways_along() {
    let mark = mark("a worker that ends");
    let script = runaways(&mark).replace("exec sleep", "sleep 0.5; exit 3; sleep");
    let mut worker = spawn_worker(shell(&script)).unwrap();
    wait_until("three sleepers", || alive(&mark).len() >= 3);
    assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::Code(3));
    assert_eq!(alive(&mark), Vec::<u32>::new());
}

#[tokio::test]
async fn a_fork_bomb_of_sessions_is_put_out() {
    let mark = mark("a fork bomb of sessions");
    // Four forkers, of which two have lost their parent, start sleepers in sessions of their own without end.
    let script = format!("bomb() {{ while :; do setsid sleep 600.{mark} & sleep 0.02; done; }}; bomb & bomb & (bomb & bomb) & wait");
    let mut worker = spawn_worker(shell(&script)).unwrap();
    wait_until("the bomb is burning", || alive(&mark).len() > 60);
    worker.control.kill_tree(Duration::ZERO).await.unwrap();
    assert_eq!(alive(&mark), Vec::<u32>::new());
}

#[tokio::test]
async fn a_killed_guard_takes_the_worker_along() {
    let mark = mark("a killed guard takes");
    let script = format!("setsid sleep 600.{mark} & exec sleep 600.{mark}");
    let mut worker = spawn_worker(shell(&script)).unwrap();
    wait_until("two sleepers", || alive(&mark).len() >= 2);
    kill(worker.control.guard_pid());
    assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::GuardKilled(9));
    wait_until("both are gone", || alive(&mark).is_empty());
}

#[tokio::test]
async fn a_dropped_worker_is_killed() {
    let mark = mark("a dropped worker is killed ");
    let worker = spawn_worker(shell(&runaways(&mark))).unwrap();
    wait_until("four sleepers", || alive(&mark).len() >= 4);
    drop(worker);
    wait_until("all are gone", || alive(&mark).is_empty());
}

#[test]
fn a_gateway_killed_by_sigkill_leaves_nothing() {
    let mark = mark("a gateway killed by sigkill leaves");
    let program = PathBuf::from("/proc/self/exe");
    let mut gateway = Command::new(program)
        .args(["--exact", "helper_plays_the_gateway", "--ignored", "--nocapture"])
        .env(HELPER, &mark)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("four sleepers", || alive(&mark).len() >= 4);
    kill(gateway.id());
    gateway.wait().unwrap();
    wait_until("all are gone", || alive(&mark).is_empty());
}

#[tokio::test]
#[ignore = "started by the test above as a process of its own"]
async fn helper_plays_the_gateway() {
    let Ok(mark) = std::env::var(HELPER) else {
        return;
    };
    let mut worker = spawn_worker(shell(&runaways(&mark))).unwrap();
    worker.control.wait().await.unwrap();
}
