//! `chela hooks trace`: handlers of hooks in a running gateway, as they are called.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::hooks::TraceArgs;
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::{Failure, note};

/// How long the gateway may take to answer at first.
const LIMIT: Duration = Duration::from_secs(10);

/// Shows calls until the gateway goes, the count is reached or the reader leaves.
///
/// # Errors
/// No gateway; values without being an administrator; a connection that was lost.
pub fn run(ctx: &Context, args: &TraceArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let target = client::target(ctx, &config, &args.target)?;
    block_on(async {
        let mut connection = client::connect(ctx, &target, Purpose::Call, LIMIT).await?;
        let params = json!({"plugins": args.plugins, "hooks": args.hooks, "values": args.values});
        connection.request("hooks.trace", params, false, LIMIT).await?;
        note("Watching; Ctrl-C ends it. Each call: time, plugin, hook, what it got, what it gave");
        let (mut shown, mut before) = (0u64, 0u64);
        while args.count.is_none_or(|most| shown < most) {
            let record = connection.event("hooks.trace").await?;
            let seq = record["seq"].as_u64().unwrap_or(before + 1);
            if seq > before + 1 {
                note(&format!("{} calls are not shown: they came faster than they could be sent", seq - before - 1));
            }
            before = seq;
            shown += 1;
            output::text(&if args.json { format!("{record}\n") } else { line(&record) })?;
        }
        connection.close().await;
        Ok(())
    })
}

fn line(record: &Value) -> String {
    let time = record["ts"].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.map(|time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    match serde_json::from_value::<chela_hooks::TraceRecord>(record.clone()) {
        Ok(record) => format!("{time} {}\n", record.line()),
        // Of a newer or older gateway.
        Err(_) => format!("{time} {record}\n"),
    }
}
