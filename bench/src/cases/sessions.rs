//! Whether the number of sessions matters: a turn and a reset beside few and beside very many others.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::{Bench, ms};
use crate::gateway::State;

/// Sessions that are there beside those that are used.
const OTHERS: [usize; 3] = [10, 10_000, 100_000];

/// Turns and resets beside so many other sessions.
pub async fn sessions(bench: &mut Bench) -> Result<()> {
    for others in OTHERS {
        let state = State::new(bench.setup(Vec::new()))?;
        state.with_sessions(others)?;
        let gateway = state.start().await?;
        let client = gateway.shared().await?;
        for n in 0..10 {
            client.turn(&format!("mine-{n}"), "hi").await?;
        }
        let (mut turns, mut resets, mut old) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..bench.pick(50, 200) {
            let key = format!("mine-{}", n % 10);
            let begun = Instant::now();
            client.turn(&key, "hi").await?;
            turns.push(ms(begun.elapsed()));
            let begun = Instant::now();
            client.call("sessions.reset", json!({"key": format!("agent:main:{key}")}), false).await?;
            resets.push(ms(begun.elapsed()));
            let begun = Instant::now();
            client.call("sessions.reset", json!({"key": format!("agent:main:there:{}", n % others)}), false).await?;
            old.push(ms(begun.elapsed()));
        }
        let case = format!("beside {others} sessions");
        bench.report.latency(&case, "turn, request to final answer", turns);
        bench.report.latency(&case, "reset of a session in use", resets);
        bench.report.latency(&case, "reset of one that was there", old);
        gateway.stop().await?;
    }
    Ok(())
}
