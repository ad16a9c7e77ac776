//! Time to ready, memory, and the plugin list, with few and many plugins.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{Bench, ms};
use crate::gateway::State;
use crate::{plugins, process};

/// How long a gateway rests before its memory is read.
const REST: Duration = Duration::from_secs(2);
/// Plugins on the load path.
const COUNTS: [usize; 3] = [0, 16, 140];
/// The same for the list, which must grow no faster than they do.
const LISTED: [usize; 4] = [0, 50, 100, 200];

/// Ready, registered, and memory.
pub async fn startup(bench: &mut Bench) -> Result<()> {
    for count in COUNTS {
        none_started(bench, count).await?;
        if count > 0 {
            all_started(bench, count).await?;
        }
    }
    Ok(())
}

async fn none_started(bench: &mut Bench, count: usize) -> Result<()> {
    let case = format!("{count} plugins, none started");
    let dir = bench.made.path().join(format!("lazy-{count}"));
    let state = State::new(bench.setup(plugins::idle(&dir, count, false)?))?;
    // The first start creates the database; users see it once.
    let first = state.start().await?;
    bench.report.samples(&case, "exec to first hello, new state directory", "ms", vec![ms(first.ready)]);
    first.stop().await?;
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    let repetitions = bench.pick(5, 15);
    for n in 0..repetitions {
        let gateway = state.start().await?;
        ready.push(ms(gateway.ready));
        if n + 3 >= repetitions {
            tokio::time::sleep(REST).await;
            memory.push(process::memory(gateway.pid()).own);
        }
        gateway.stop().await?;
    }
    bench.report.samples(&case, "exec to first hello", "ms", ready);
    bench.report.samples(&case, "resident memory, idle", "MiB", memory);
    Ok(())
}

async fn all_started(bench: &mut Bench, count: usize) -> Result<()> {
    let case = format!("{count} plugins, all started");
    let dir = bench.made.path().join(format!("eager-{count}"));
    let state = State::new(bench.setup(plugins::idle(&dir, count, true)?))?;
    let (mut ready, mut registered, mut own, mut workers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.pick(1, 3) {
        let begun = Instant::now();
        let gateway = state.start().await?;
        ready.push(ms(gateway.ready));
        gateway.wait_plugins(count).await?;
        registered.push(begun.elapsed().as_secs_f64());
        tokio::time::sleep(REST).await;
        let memory = process::memory(gateway.pid());
        own.push(memory.own);
        workers.push(memory.workers);
        let stopped = gateway.stop().await?;
        bench.report.samples(&case, "SIGTERM to exit", "ms", vec![ms(stopped)]);
    }
    bench.report.samples(&case, "exec to first hello", "ms", ready);
    bench.report.samples(&case, "exec to all registered", "s", registered);
    bench.report.samples(&case, "resident memory of the gateway", "MiB", own);
    bench.report.samples(&case, "proportional memory of all workers", "MiB", workers);
    Ok(())
}

/// `plugins list`, which starts nothing.
pub fn list(bench: &mut Bench) -> Result<()> {
    for count in LISTED {
        let dir = bench.made.path().join(format!("listed-{count}"));
        let state = State::new(bench.setup(plugins::idle(&dir, count, false)?))?;
        let mut times = Vec::new();
        for _ in 0..bench.pick(5, 20) {
            let begun = Instant::now();
            let done = state.command(&["plugins", "list", "--json"]).output()?;
            times.push(ms(begun.elapsed()));
            if !done.status.success() {
                bail!("`plugins list` ended with {}: {}", done.status, String::from_utf8_lossy(&done.stderr));
            }
        }
        bench.report.samples(&format!("`plugins list`, {count} plugins"), "wall time", "ms", times);
    }
    Ok(())
}
