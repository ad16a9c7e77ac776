//! What the system says about processes and itself, read from `/proc`.

use std::collections::HashMap;

/// Memory of processes, in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident memory of the first process alone.
    pub own: f64,
    /// Proportional memory of its descendants.
    pub workers: f64,
}

/// The process and its descendants.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let entries = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    for id in entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs_err::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(id);
    }
    let mut all = Vec::new();
    let mut next = vec![pid];
    while let Some(id) = next.pop() {
        all.push(id);
        next.extend(children.remove(&id).unwrap_or_default());
    }
    all
}

/// Whether the process exists and is not a zombie.
pub fn alive(pid: u32) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Memory of the process and of what it started.
pub fn memory(pid: u32) -> Memory {
    let workers: Vec<u32> = tree(pid).into_iter().filter(|id| *id != pid).collect();
    Memory {
        own: field(&format!("/proc/{pid}/status"), "VmRSS:"),
        workers: workers.iter().map(|id| field(&format!("/proc/{id}/smaps_rollup"), "Pss:")).sum(),
    }
}

/// A field in KiB, as MiB; 0 when the process has gone.
fn field(path: &str, name: &str) -> f64 {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// The load average of the last minute.
pub fn load() -> f64 {
    let text = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}
