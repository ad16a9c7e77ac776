//! Commands under real guards.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use chela_process::{CommandInput, CommandProcess, Ended, WorkerCommand, spawn_command};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

fn start(script: &str, input: CommandInput) -> CommandProcess {
    let mut command = WorkerCommand::new("/bin/sh");
    command.args = vec!["-c".into(), script.into()];
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    spawn_command(&command, input).unwrap()
}

async fn text(mut output: impl AsyncReadExt + Unpin) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(PATIENCE, output.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_command_reads_its_input_and_tells_how_it_ended() {
    let mut process = start("read line; echo \"got $line\"; echo bad >&2; exit 3", CommandInput::Pipe);
    assert!(process.status.pid().await.unwrap() > 1);
    process.input.write_all(b"hello\n").await.unwrap();
    drop(process.input);
    assert_eq!(process.status.ended().await, Ended::Code(3));
    assert_eq!((text(process.stdout).await.as_str(), text(process.stderr).await.as_str()), ("got hello\n", "bad\n"));
    process.control.wait().await.unwrap();
}

#[tokio::test]
async fn a_terminal_is_one_and_can_interrupt() {
    let size = CommandInput::Terminal { rows: 33, columns: 101 };
    let mut process = start("test -t 0 && test -t 1 && stty size; cat", size);
    process.status.pid().await.unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 256];
    while !seen.contains("33 101") {
        let count = tokio::time::timeout(PATIENCE, process.stdout.read(&mut buffer)).await.unwrap().unwrap();
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    // The key counts for whoever is in the foreground; between two programs of a shell it can go to one that is just leaving.
    let begun = std::time::Instant::now();
    let ended = loop {
        process.input.write_all(b"\x03").await.unwrap();
        match tokio::time::timeout(std::time::Duration::from_millis(500), process.status.ended()).await {
            Ok(ended) => break ended,
            Err(_) => assert!(begun.elapsed() < PATIENCE, "the key does nothing"),
        }
    };
    assert_eq!(ended, Ended::Signal(2));
}

#[tokio::test]
async fn what_a_command_leaves_running_goes_on_until_it_is_stopped() {
    let mut process = start("sleep 600 & echo $!", CommandInput::Pipe);
    process.status.pid().await.unwrap();
    assert_eq!(process.status.ended().await, Ended::Code(0));
    let mut line = vec![0; 32];
    let count = process.stdout.read(&mut line).await.unwrap();
    let pid: u32 = String::from_utf8_lossy(&line[..count]).trim().parse().unwrap();
    let alive = || {
        std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists()
            && !std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default().is_empty()
    };
    assert!(alive());
    process.control.kill_tree(Duration::ZERO).await.unwrap();
    assert!(!alive());
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_told() {
    let mut process = spawn_command(&WorkerCommand::new("/no/such/program"), CommandInput::Pipe).unwrap();
    assert_eq!(process.status.pid().await, None);
    assert_eq!(process.status.ended().await, Ended::Unknown);
    assert!(text(process.stderr).await.contains("/no/such/program"));
}
