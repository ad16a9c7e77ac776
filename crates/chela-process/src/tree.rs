//! Process trees as `/proc` shows them.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Unit of the CPU times in `/proc/<pid>/stat`, which Linux fixes at 100 per second for programs.
const TICKS_PER_SECOND: u64 = 100;

/// One process as it was when the table was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Process id.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Start time in ticks since boot: together with the pid it names one process for ever.
    pub start: u64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// CPU time used so far.
    pub cpu: Duration,
    /// True when it has ended and only waits to be reaped.
    pub zombie: bool,
}

/// All processes at one moment. Read it once for many trees.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable {
    rows: Vec<ProcessRow>,
}

/// Sums over a process and its descendants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTree {
    /// The processes, the root first.
    pub pids: Vec<u32>,
    /// Resident memory in bytes; pages that processes share count once per process.
    pub rss_bytes: u64,
    /// CPU time used so far by the processes that still live.
    pub cpu: Duration,
}

impl ProcessTable {
    /// Reads `/proc`.
    ///
    /// # Errors
    /// When `/proc` cannot be listed. Processes that end meanwhile are left out.
    pub fn read() -> io::Result<Self> {
        let page = rustix::param::page_size() as u64;
        let mut rows = Vec::with_capacity(256);
        for entry in fs_err::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            rows.extend(read_row(pid, page));
        }
        Ok(Self { rows })
    }

    /// The processes below `root`, parents before their children, without `root` itself.
    pub fn descendants(&self, root: u32) -> Vec<ProcessRow> {
        let mut children: HashMap<u32, Vec<&ProcessRow>> = HashMap::new();
        for row in &self.rows {
            children.entry(row.parent).or_default().push(row);
        }
        let (mut found, mut next) = (Vec::new(), vec![root]);
        while let Some(parent) = next.pop() {
            for row in children.remove(&parent).unwrap_or_default() {
                found.push(*row);
                next.push(row.pid);
            }
        }
        found
    }

    /// Sums over `root` and everything below it; empty when `root` does not exist.
    pub fn tree(&self, root: u32) -> ProcessTree {
        let own = self.rows.iter().find(|row| row.pid == root).copied();
        let Some(own) = own else {
            return ProcessTree::default();
        };
        sum([own].into_iter().chain(self.descendants(root)))
    }

    /// Sums over everything below `root`, such as the processes of a worker below its guard.
    pub fn below(&self, root: u32) -> ProcessTree {
        sum(self.descendants(root).into_iter())
    }
}

fn sum(rows: impl Iterator<Item = ProcessRow>) -> ProcessTree {
    rows.filter(|row| !row.zombie).fold(ProcessTree::default(), |mut tree, row| {
        tree.pids.push(row.pid);
        tree.rss_bytes += row.rss_bytes;
        tree.cpu += row.cpu;
        tree
    })
}

fn read_row(pid: u32, page: u64) -> Option<ProcessRow> {
    // Not `fs_err`: a process that has just ended is no error, and the loop is hot.
    #[allow(clippy::disallowed_methods, reason = "see above")]
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(pid, &text, page)
}

/// Reads one line of `/proc/<pid>/stat`. The name may contain blanks and brackets, so fields count from its last `)`.
fn parse_stat(pid: u32, stat: &[u8], page: u64) -> Option<ProcessRow> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // `fields[0]` is field 3 of proc(5).
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    Some(ProcessRow {
        pid,
        parent: u32::try_from(number(4)?).ok()?,
        start: number(22)?,
        rss_bytes: number(24)? * page,
        cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        zombie: fields.first() == Some(&"Z"),
    })
}

/// Sends a signal to exactly the process of `row`: the number alone could belong to another one by now.
pub(crate) fn signal_row(row: &ProcessRow, signal: Signal) {
    let Some(fd) = open_row(row) else {
        return;
    };
    // It may have ended in between; then there is nothing to do.
    let _ = pidfd_send_signal(&fd, signal);
}

fn open_row(row: &ProcessRow) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(row.pid).ok()?)?;
    let fd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let now = read_row(row.pid, 0)?;
    (now.start == row.start).then_some(fd)
}

/// Kills every process whose environment has `name=value`, until none is left. For the case that a guard was killed, which leaves its
/// worker's grandchildren to somebody else. Returns how many processes it hit. Blocks for at most two seconds.
pub fn kill_marked(name: &str, value: &str) -> usize {
    let marker = format!("{name}={value}").into_bytes();
    let mut hit = 0;
    for _ in 0..200 {
        let Ok(table) = ProcessTable::read() else {
            return hit;
        };
        let marked: Vec<_> = table.rows.iter().filter(|row| !row.zombie && has_marker(row.pid, &marker)).collect();
        if marked.is_empty() {
            return hit;
        }
        hit += marked.len();
        marked.iter().for_each(|row| signal_row(row, Signal::KILL));
        std::thread::sleep(Duration::from_millis(10));
    }
    hit
}

fn has_marker(pid: u32, marker: &[u8]) -> bool {
    #[allow(clippy::disallowed_methods, reason = "environments of other users' processes are not readable, which is no error here")]
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| env.split(|b| *b == 0).any(|entry| entry == marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_a_hostile_name_is_read() {
        let line = b"12 (a) b) (c) S 7 12 12 0 -1 4194304 1 2 3 4 150 50 0 0 20 0 11 0 777 1000 25 18446744073709551615";
        let row = parse_stat(12, line, 4096).unwrap();
        let expected = ProcessRow { pid: 12, parent: 7, start: 777, rss_bytes: 25 * 4096, cpu: Duration::from_secs(2), zombie: false };
        assert_eq!(row, expected);
        assert_eq!(parse_stat(12, b"12 (x) S", 1), None);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let table = ProcessTable::read().unwrap();
        let tree = table.tree(std::process::id());
        assert_eq!(tree.pids.first(), Some(&std::process::id()));
        assert!(tree.rss_bytes > 100_000);
        assert_eq!(table.tree(u32::MAX), ProcessTree::default());
    }
}
