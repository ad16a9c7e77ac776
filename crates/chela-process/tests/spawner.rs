//! The process that guards are forked from: what it shares, what it keeps to itself, and that nothing depends on its life.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chela_process::{CommandInput, Ended, WorkerCommand, WorkerExit, WorkerProcess, end_spawner, spawn_command, spawn_worker};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Set for the helper process whose spawner is killed.
const HELPER: &str = "CHELA_TEST_SPAWNER_HELPER";

const PATIENCE: Duration = Duration::from_secs(120);

fn shell(script: &str) -> WorkerCommand {
    let mut command = WorkerCommand::new("/bin/sh");
    command.args = vec!["-c".into(), script.into()];
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    command.orphan_grace = Duration::from_millis(100);
    command
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

/// State and parent of a process; `None` when it has gone.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = text.rsplit(") ").next()?.split(' ');
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

fn lives(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

fn name(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().into()
}

fn children(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, above)| above == parent)).collect()
}

/// Open descriptors and what they are.
fn descriptors(pid: u32) -> Vec<(u32, String)> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = std::fs::read_link(entry.path()).ok()?.display().to_string();
            Some((number, target.split(':').next().unwrap_or_default().to_owned()))
        })
        .collect();
    all.sort();
    all
}

/// A worker that sleeps, once it runs, with its process id.
async fn sleeper() -> (WorkerProcess, u32) {
    let mut worker = spawn_worker(shell("echo $$; exec sleep 600")).unwrap();
    let mut line = [0; 16];
    let count = worker.stdout.read(&mut line).await.unwrap();
    let pid = String::from_utf8_lossy(&line[..count]).trim().parse().unwrap();
    wait_until("the worker runs", || name(pid) == "sleep");
    (worker, pid)
}

#[tokio::test]
async fn a_worker_and_its_guard_hold_only_what_is_theirs() {
    let (first, _) = sleeper().await;
    let (second, worker) = sleeper().await;
    let row = |number: u32, what: &str| (number, what.to_owned());
    assert_eq!(
        descriptors(worker),
        [row(0, "/dev/null"), row(1, "pipe"), row(2, "pipe"), row(3, "socket"), row(4, "socket"), row(5, "/memfd")],
        "the lanes, the marks and the standard ones"
    );
    let guard = second.control.guard_pid();
    wait_until("the guard has let go of what is the worker's", || descriptors(guard).len() == 5);
    let of_guard: Vec<String> = descriptors(guard).into_iter().map(|(_, what)| what).collect();
    assert_eq!(of_guard, ["pipe", "/dev/null", "/dev/null", "pipe", "anon_inode"], "its lifeline, no output, its status, its signals");
    // The spawner's start has no environment, so neither has a guard, whatever the gateway's holds.
    assert_eq!(std::fs::read(format!("/proc/{guard}/environ")).unwrap(), b"");
    drop(first);
}

#[tokio::test]
async fn guards_are_copies_that_share_what_the_loader_wrote() {
    let (worker, _) = sleeper().await;
    let guard = worker.control.guard_pid();
    let (_, spawner) = stat(guard).unwrap();
    assert_eq!((name(guard).as_str(), name(spawner).as_str()), ("chela-guard", "chela-spawner"));
    assert!(children(std::process::id()).contains(&spawner));
    assert_eq!(std::fs::read_dir(format!("/proc/{spawner}/task")).unwrap().count(), 1);
    let field = |name: &str| -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{guard}/smaps_rollup")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    wait_until("the guard sleeps", || stat(guard).unwrap().0 == 'S');
    assert!(field("Private_Dirty:") < 320, "{} KiB of its own", field("Private_Dirty:"));
    assert!(field("Shared_Dirty:") > field("Private_Dirty:"), "{} KiB are shared", field("Shared_Dirty:"));
}

#[tokio::test]
async fn a_hundred_and_forty_workers_start_at_once_and_leave_no_zombie() {
    let started: Vec<_> = (0..140)
        .map(|number| {
            tokio::spawn(async move { (number % 100, spawn_worker(shell(&format!("read x <&3; exit {}", number % 100))).unwrap()) })
        })
        .collect();
    let mut guards = Vec::new();
    let mut workers = Vec::new();
    for one in started {
        let (code, mut worker) = one.await.unwrap();
        worker.main.write_all(b"go\n").await.unwrap();
        guards.push(worker.control.guard_pid());
        workers.push((code, worker));
    }
    for (code, worker) in &mut workers {
        assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::Code(*code));
        assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::Code(*code), "asked again");
    }
    assert!(guards.iter().all(|guard| stat(*guard).is_none_or(|(state, _)| state != 'Z')), "reaped before it is told");
}

#[tokio::test]
async fn a_large_environment_arrives_and_what_cannot_start_says_why() {
    let mut command = shell("env | wc -c");
    for number in 0..12 {
        command.env.insert(format!("LONG_{number}"), "x".repeat(100_000));
    }
    let mut worker = spawn_worker(command).unwrap();
    let mut text = String::new();
    worker.stdout.read_to_string(&mut text).await.unwrap();
    assert!(text.trim().parse::<u64>().unwrap() > 1_200_000, "{text}");

    let mut command = shell("true");
    command.cwd = "/no/such/place".into();
    let error = spawn_worker(command).unwrap_err().to_string();
    assert!(error.contains("`/no/such/place`") && error.contains("No such file"), "{error}");

    let mut command = shell("true");
    command.env.insert("BAD".into(), "a\0b".into());
    assert!(spawn_worker(command).unwrap_err().to_string().contains("zero byte"));

    let mut command = shell("pwd; umask");
    command.cwd = "/usr".into();
    let mut worker = spawn_worker(command).unwrap();
    let mut text = String::new();
    worker.stdout.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("/usr\n"), "{text}");
}

/// Starts the test below as a process of its own, which plays the gateway.
fn helper(part: &str) -> Command {
    let mut command = Command::new(PathBuf::from("/proc/self/exe"));
    command.args(["--exact", "helper_loses_its_spawner", "--ignored", "--nocapture"]).env(HELPER, part);
    command
}

#[test]
fn a_killed_spawner_loses_no_worker() {
    let done = helper("goes on").stdout(Stdio::inherit()).stderr(Stdio::inherit()).status().unwrap();
    assert!(done.success());
}

#[test]
fn the_spawner_ends_with_the_gateway_and_a_lost_one_saves_no_worker_from_it() {
    let note = tempfile::NamedTempFile::new().unwrap();
    let mut gateway = helper(&format!("waits {}", note.path().display())).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let noted = || std::fs::read_to_string(note.path()).unwrap();
    wait_until("the helper has noted its processes", || noted().ends_with("end"));
    let pids: Vec<u32> = noted().split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(pids.len(), 5, "the second spawner, two guards, two workers");
    assert!(pids.iter().all(|pid| lives(*pid)));
    kill(gateway.id());
    gateway.wait().unwrap();
    for pid in pids {
        wait_until("it ends with the gateway", || !lives(pid));
    }
}

#[tokio::test]
#[ignore = "started by the tests above as a process of its own"]
async fn helper_loses_its_spawner() {
    let Ok(part) = std::env::var(HELPER) else { return };
    let mut old = spawn_worker(shell("read x <&3; echo $x >&4; read x <&3; exit 7")).unwrap();
    let guard = old.control.guard_pid();
    let (_, spawner) = stat(guard).unwrap();
    let (mut doomed, doomed_worker) = sleeper().await;
    kill(spawner);
    // No wait: a start that meets the dying spawner must succeed as well.
    let mut new = spawn_worker(shell("read x <&3; exit 9")).unwrap();
    let (_, successor) = stat(new.control.guard_pid()).unwrap();
    assert_ne!(successor, spawner);
    assert_eq!(name(successor), "chela-spawner");
    if let Some(note) = part.strip_prefix("waits ") {
        let (new, new_worker) = sleeper().await;
        let line = format!("{successor} {} {} {doomed_worker} {new_worker} end", doomed.control.guard_pid(), new.control.guard_pid());
        std::fs::write(note, line).unwrap();
        std::future::pending::<()>().await;
    }
    let begun = Instant::now();
    while stat(spawner).is_some() {
        assert!(begun.elapsed() < PATIENCE, "the runtime reaps it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    old.main.write_all(b"hello\n").await.unwrap();
    let mut heard = [0; 6];
    old.blocking.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello\n");
    old.main.write_all(b"end\n").await.unwrap();
    assert_eq!(old.control.wait().await.unwrap(), WorkerExit::Code(7), "told by the guard itself");

    kill(doomed.control.guard_pid());
    assert_eq!(doomed.control.wait().await.unwrap(), WorkerExit::GuardKilled(9));
    wait_until("a killed guard takes its worker along", || !lives(doomed_worker));

    new.main.write_all(b"end\n").await.unwrap();
    assert_eq!(new.control.wait().await.unwrap(), WorkerExit::Code(9));

    // A command, and another signal than the one that is assumed of a guard without a spawner.
    let mut command = spawn_command(&shell("exit 4"), CommandInput::Pipe).unwrap();
    assert!(command.status.pid().await.is_some());
    assert_eq!(command.status.ended().await, Ended::Code(4));
    let (mut worker, _) = sleeper().await;
    let guard = Pid::from_raw(i32::try_from(worker.control.guard_pid()).unwrap()).unwrap();
    kill_process(guard, Signal::SEGV).unwrap();
    assert_eq!(worker.control.wait().await.unwrap(), WorkerExit::GuardKilled(11));

    end_spawner();
    assert_eq!(stat(successor), None, "ended and reaped");
    assert_eq!(children(std::process::id()), Vec::<u32>::new());
    let mut last = spawn_worker(shell("exit 2")).unwrap();
    assert_eq!(last.control.wait().await.unwrap(), WorkerExit::Code(2));
}
